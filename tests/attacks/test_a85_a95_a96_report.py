"""A85, A95, A96: a reserve dressed for one day shows in its report, and no text of others acts in any form of it."""

import csv
import io
import re
from pathlib import Path

from support.rehearsal import Rehearsal, stranger

EVIL = '=HYPERLINK("http://x")<script>alert(1)</script>\u202e\u200b\x1b[2J'
WHOLE = ("--from-height", 0)


def test_a95_a96_no_text_of_others_acts_in_any_form_of_a_report(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "office")
    address = office.fund(2)[0]
    office.json(["coins", "label", address, EVIL])
    proposal = office.draft("--to", f"{stranger(1)}=60btc", "--reason", f"@SUM(1)\n<img src=x onerror=1>{EVIL}")
    office.send(proposal, 1, 2)
    office.mine(6)
    closing = office.json(["coins", "sync"])["height"]
    command = ["audit", "report", *WHOLE, "--to-height", closing]

    shown = {form: office.run([*command, "--format", form]).stdout for form in ("text", "json", "csv", "html")}
    for form, content in shown.items():
        assert not set(content) & {"\u202e", "\u200b", "\x1b"}, form
    rows = list(csv.DictReader(io.StringIO(shown["csv"], newline="")))
    texts = [text for row in rows for name, text in row.items() if not name.endswith("_sats")]
    assert not [text for text in texts if text.lstrip()[:1] in ("=", "+", "-", "@")]
    assert len(rows) == len(office.json(command)["rows"])
    assert re.findall(r"<(script|img)\b", shown["html"]) == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown["html"]
    assert all(one in shown["html"] for one in (r"\u{202E}", r"\u{200B}", r"\u{001B}"))
    assert "\n<img" not in shown["text"]


def test_a85_money_that_came_for_the_closing_block_alone_shows(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "office")
    office.fund(1)
    office.mine(200)
    office.fund(1)
    closing = office.json(["coins", "sync"])["height"]
    proposal = office.draft("--to", f"{stranger(1)}=55btc")
    office.send(proposal, 1, 2)
    office.mine(6)
    office.json(["coins", "sync"])

    told = office.json(["audit", "report", *WHOLE, "--to-height", closing])
    around = told["around_closing"]
    assert around["came_before_sats"] == 1_250_000_000  # regtest halves its subsidy every 150 blocks
    assert around["left_after_sats"] == 55 * 100_000_000 + proposal["fee_sats"]
    (finding,) = [one for one in told["findings"] if one["code"] == "MOVES_AROUND_CLOSING"]
    assert "can be borrowed for one day" in finding["advice"]
    assert any(one.startswith("title") for one in told["not_proven"])
    page = office.run(["audit", "report", *WHOLE, "--to-height", closing, "--format", "html"]).stdout
    assert "MOVES_AROUND_CLOSING" in page and "liabilities" in page
    assert [one["coins"] for one in told["coins_by_age"]][:3] == [1, 1, 0]
