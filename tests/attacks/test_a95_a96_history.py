"""A95 and A96, and pain 36: the books as CSV by the command line; they add up, and no text of others runs in them."""

import csv
import io
from pathlib import Path
from typing import Any

from custody.documents.display import csv_cell
from support.rehearsal import Rehearsal, stranger

_COLUMNS = "time,height,block_hash,txid,kind,vout,address,branch,index,value_sats,amount_sats,balance_sats,"
_COLUMNS += "payee,reason,proposal_id,approved_by,label"


def rows_of(content: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content, newline="")))


def paid(office: Rehearsal, *payments: str, reason: str) -> Any:
    """Pay, and bury it."""
    words = [word for payment in payments for word in ("--to", payment)]
    proposal = office.draft(*words, "--reason", reason)
    office.send(proposal, 1, 2)
    office.mine(6)
    office.json(["coins", "sync"])
    return proposal


def test_a95_a96_the_books_add_up_and_hold_no_formula(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "office")
    first, _second = office.fund(2)
    office.json(["coins", "label", first, "=cmd|' /C calc'!A0"])
    evil = "@SUM(1+1)\n2026-01-01T00:00:00Z,1,,,received,0,,,,9,9,9,,,,,\x1b[2J"
    proposal = paid(office, f"{stranger(1)}=60btc", f"{stranger(2)}=1btc", reason=evil)
    waiting = office.draft("--to", f"{stranger(3)}=2btc", "--reason", "not yet")
    office.send(waiting, 1, 2)

    coins = office.json(["coins", "list"])
    told = office.json(["coins", "history"])
    assert told["balance_sats"] == coins["total_sats"] == sum(row["amount_sats"] for row in told["rows"])
    assert told["rows"][-1]["balance_sats"] == coins["total_sats"]
    ours = [row for row in told["rows"] if row["proposal_id"] == proposal["proposal_id"]]
    outputs = [row for row in ours if row["kind"] in ("paid", "change")]
    assert sorted(row["vout"] for row in outputs) == [0, 1, 2]
    assert {row["address"]: row["amount_sats"] for row in ours if row["kind"] == "paid"} == {
        one["address"]: -one["value_sats"] for one in proposal["destinations"]
    }
    assert [row["amount_sats"] for row in ours if row["kind"] == "fee"] == [-proposal["fee_sats"]]
    assert not [row for row in told["rows"] if row["proposal_id"] == waiting["proposal_id"]]

    target = tmp_path / "2026.csv"
    written = office.json(["coins", "history", "-o", target])
    assert (written["file"], len(written["rows"])) == (str(target), len(told["rows"]))
    content = target.read_bytes().decode()
    assert content.split("\r\n")[0] == _COLUMNS
    assert office.run(["coins", "history", "-o", "-"]).stdout.encode() == content.encode()
    rows = rows_of(content)
    assert [int(row["amount_sats"]) for row in rows] == [row["amount_sats"] for row in told["rows"]]
    assert len(rows) == len(told["rows"]) == content.count("\r\n") - 1
    texts = [row[name] for row in rows for name in ("address", "payee", "reason", "approved_by", "label")]
    assert csv_cell(evil) in texts
    assert not [text for text in texts if text.lstrip()[:1] in ("=", "+", "-", "@")]
    assert "\x1b" not in content + office.run(["coins", "history"]).stdout

    assert office.error(["coins", "history", "-o", target], exit_code=7)["error"] == "FILE_EXISTS"
    assert target.read_bytes().decode() == content


def test_books_are_not_written_from_an_incomplete_view(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "office")
    assert office.json(["coins", "history"], exit_code=9)["complete"] is False
    target = tmp_path / "books.csv"
    assert office.error(["coins", "history", "-o", target], exit_code=9)["error"] == "SYNC_INCOMPLETE"
    assert not target.exists()
