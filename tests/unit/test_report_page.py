"""The page of a report: self-contained, without script, every text escaped, every figure of the JSON on it."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from custody.audit.chain_view import known_outputs
from custody.audit.report.period import DaysAsked, HeightsAsked
from custody.bitcoin.amount import format_btc
from custody.errors import JsonValue
from custody_cli.audit_report_page import MOST_ROWS, page_of, report_page
from custody_cli.html_page import btc
from support.demo_reserve import QUARTER, demo_reserve, page_of_demo, report_of, the_demo
from support.ledger import Ledger
from support.review_cases import simulated_vault

VOID = {"meta", "line", "rect", "path", "br"}
NO_MORE: dict[str, JsonValue] = {"origin": None, "spendable": None}
EVIL = (
    "<script>alert(1)</script>",
    "\u202egnp.exe\u2066",
    '=HYPERLINK("http://x","y")',
    '"><img src=x onerror=alert(1)> {{ 7*7 }} \x1b[2J',
)


class Page(HTMLParser):
    """What is on a page: elements with their attributes, and all text; demands that every element is closed."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(content.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(page_of_demo(QUARTER, with_prices=True))


def test_nothing_runs_and_nothing_is_fetched(page: Page) -> None:
    policies = [one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]
    names = {name for name, _attributes in page.elements}
    assert not names & {"script", "img", "link", "iframe", "object", "embed", "form", "input", "base", "audio", "video"}
    for _name, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on") or key in ("src", "style", "srcset", "data")]
        assert (attributes.get("href") or "#").startswith("#")
    style = page_of_demo(QUARTER).decode().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style


def test_every_figure_and_every_name_stands_on_it(page: Page) -> None:
    made = report_of(the_demo(), QUARTER)
    for amount in (made.sums.opening, made.sums.closing, made.sums.inflows, -made.sums.outflows, -made.sums.fees):
        assert btc(amount) in page.text
    for one in made.outflows:
        assert one.transaction.txid in page.text
        assert one.proposal is not None and one.proposal.proposal_id in page.text
    for address in made.addresses:
        assert address.address in page.text and btc(address.value) in page.text
    for word in ("dora", "ann", "bo", "cy", "treasury", "central-bank", "exchange-desk", "energy invoice 2026-06"):
        assert word in page.text
    for word in (made.source.head, made.vault.vault_id, made.closing_hash, "liabilities", "What is somebody's word"):
        assert word is not None and word in page.text


def test_headings_tables_and_charts_can_be_read_without_eyes(page: Page) -> None:
    levels = [int(name[1]) for name, _attributes in page.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(one.get("scope") in ("row", "col") for one in page.all("th"))
    charts = page.all("svg")
    assert len(charts) == 5
    assert all(one["role"] == "img" for one in charts)
    ids = [attributes["id"] for _name, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for one in charts:
        assert set((one["aria-labelledby"] or "").split()) <= set(ids)
    for _name, attributes in page.elements:
        assert (attributes.get("href") or "#movements")[1:] in ids
        assert attributes.get("aria-labelledby", ids[0]) is not None
    assert next(one for one in page.all("html"))["lang"] == "en"


def test_a95_a96_text_of_others_is_text_and_nothing_else() -> None:
    made = report_of(demo_reserve(labels=EVIL, reason="<b>bold</b>\u2028second line"))
    content = report_page(made)
    page = Page(content)
    assert not page.all("script") and not page.all("img") and not page.all("b")
    assert "\u202e" not in content.decode() and "\x1b" not in content.decode() and "\u2028" not in content.decode()
    assert "<script>alert(1)</script>" in page.text
    assert r"\u{202E}gnp.exe\u{2066}" in page.text
    assert r"<b>bold</b>\u{2028}second line" in page.text
    assert "{{ 7*7 }}" in page.text


def test_an_alarm_stands_first_and_a_marked_bar_says_it_in_words() -> None:
    page = Page(page_of_demo())
    assert page.text.index("ALARM.") < page.text.index("Reconciled to the satoshi.")
    assert "619.25 BTC, above the cap" in page.text
    assert "UNEXPLAINED" in page.text
    assert "public keys exposed" in page.text


def test_an_empty_vault_has_a_page_too() -> None:
    ledger = Ledger(simulated_vault())
    ledger.mine(1)
    page = Page(report_page(report_of(ledger, HeightsAsked(0, ledger.height))))
    assert (
        "Nothing came in." in page.text and "Nothing left." in page.text and "The balance did not change." in page.text
    )


def test_a_period_in_which_nothing_was_seen_is_flat() -> None:
    quiet = DaysAsked("2026-02-05", "2026-02-05")
    made = report_of(the_demo(), quiet)
    assert made.period.closing == made.period.opening
    assert made.sums.opening == made.sums.closing > 0
    assert "The balance did not change." in Page(report_page(made)).text


def test_a_long_table_says_what_it_leaves_out() -> None:
    ledger = Ledger(simulated_vault())
    ledger.receive(*range(20_000, 20_000 + MOST_ROWS + 7))
    for outpoint in known_outputs(ledger.state):
        ledger.add("label_set", {"type": "output", "ref": str(outpoint), "label": f"coin {outpoint}", **NO_MORE})
    made = report_of(ledger, HeightsAsked(0, ledger.height))
    text = Page(report_page(made)).text
    assert "7 more labels are in the JSON form of this report." in text
    assert len(page_of(made).movements) == MOST_ROWS + 7
    assert "7 more are in the CSV and JSON forms of this report." in text


def test_amounts_have_commas_and_all_decimals() -> None:
    assert [btc(one) for one in (0, -1, 123_456_789_012_345)] == ["0.00000000", "-0.00000001", "1,234,567.89012345"]
    assert btc(5).replace(",", "") == format_btc(5)
