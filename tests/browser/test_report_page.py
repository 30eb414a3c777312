"""The report of a year as its HTML page, in a real Chromium: the same demands as on the public page, and a PDF."""

from pathlib import Path

import pytest

from support.browser import LOOKS, PHONE, Browser, Look, pages_of
from support.demo_reserve import QUARTER, page_of_demo

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(page_of_demo())
    return path


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_everybody_can_use_it_and_nothing_leaves_it(browser: Browser, page: Path, look: Look) -> None:
    browser.open(page, look)
    assert browser.overflow() == 0
    assert browser.requests() == [page.absolute().as_uri()]
    assert browser.violations() == []
    assert browser.complaints() == []


def test_a_report_in_fiat_fits_on_a_phone_too(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "quarter.html"
    path.write_bytes(page_of_demo(QUARTER, with_prices=True))
    browser.open(path, Look(PHONE, "dark"))
    assert browser.overflow() == 0
    assert browser.violations() == []


def test_light_and_dark_differ(browser: Browser, page: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        browser.open(page, Look(PHONE, scheme))
        colours.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]


def test_it_becomes_a_pdf(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert pages_of(browser.pdf()) >= 2
