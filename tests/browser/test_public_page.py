"""The public page in a real Chromium: at phone and desktop width, in light and dark, by axe-core's rules."""

from pathlib import Path

import pytest

from support.browser import DESKTOP, LOOKS, PHONE, Browser, Look, pages_of
from support.pages import sample_head, sample_site, sample_statement

pytestmark = pytest.mark.browser

SITES = {
    "addresses": lambda: sample_site(sample_statement(unproved=(2,)), heads=(sample_head(),)),
    "commitments": lambda: sample_site(sample_statement(), by_commitment=True),
}
PAGES = [(kind, name) for kind in SITES for name in ("index.html", "verify.html")]


@pytest.fixture(scope="module", params=PAGES, ids=["-".join(one) for one in PAGES])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind, name = request.param
    folder = tmp_path_factory.mktemp(kind)
    for file, content in SITES[kind]().items():
        (folder / file).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_everybody_can_use_it_and_nothing_leaves_it(browser: Browser, page: Path, look: Look) -> None:
    browser.open(page, look)
    assert browser.overflow() == 0
    assert browser.requests() == [page.absolute().as_uri()]
    assert browser.violations() == []
    assert browser.complaints() == []


def test_light_and_dark_differ(browser: Browser, page: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        browser.open(page, Look(PHONE, scheme))
        colours.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", "rgb(20, 23, 26)"]


@pytest.mark.parametrize("kind", SITES)
def test_the_limits_stand_beside_the_number(browser: Browser, tmp_path: Path, kind: str) -> None:
    for file, content in SITES[kind]().items():
        (tmp_path / file).write_bytes(content)
    for size, beside in ((DESKTOP, True), (PHONE, False)):
        browser.open(tmp_path / "index.html", Look(size))
        number, limits = (
            browser.evaluate(f"JSON.parse(JSON.stringify(document.querySelector('{name}').getBoundingClientRect()))")
            for name in (".card", ".care")
        )
        assert (limits["top"] < number["bottom"] and limits["left"] >= number["right"]) is beside
        # On a phone they come right after it.
        assert beside or 0 <= limits["top"] - number["bottom"] < 40


def test_the_longest_total_fits_into_a_phone(browser: Browser, tmp_path: Path) -> None:
    longest = (20_999_999_99999999, 999_999_99999999, 99_999_99999999)
    for amount, size in ((amount, size) for amount in longest for size in (PHONE, DESKTOP, (320, 640), (960, 700))):
        for file, content in sample_site(sample_statement(amounts=(amount,))).items():
            (tmp_path / file).write_bytes(content)
        browser.open(tmp_path / "index.html", Look(size))
        inside = "(e => e.scrollWidth - e.clientWidth)(document.querySelector('.total'))"
        assert browser.evaluate(inside) <= 0, size
        assert browser.overflow() == 0, size


def test_it_prints(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert 1 <= pages_of(browser.pdf()) <= 5


def test_the_checks_find_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<html><meta name='viewport' content='width=device-width'><body style='color:#999;background:#aaa'><img src='http://example.org/pixel.png'>"
        "<p style='width:3000px'>grey on grey</p></body></html>"
    )
    browser.open(page, Look(PHONE))
    assert browser.overflow() > 1_000
    assert "http://example.org/pixel.png" in browser.requests()
    names = {violation.split(" ")[0] for violation in browser.violations()}
    assert {"image-alt", "html-has-lang", "color-contrast"} <= names
