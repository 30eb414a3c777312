"""`kill -9` at random moments of `address next` and `proposal …`: what was acknowledged is there, and all verifies.

A short run is part of every test run; the long one (200 kills) is marked `slow` and run by name:
`pytest -m slow tests/journeys/test_kill_journey.py`.
"""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from custody.workspace.sqlite_store import SqliteJournal
from support.kill import Outcome, run_and_kill, seeded
from support.rehearsal import Rehearsal, stranger

_OF_A_WHOLE_RUN = 1.5
"""Kills fall anywhere in a command's own duration, measured here first, and half as long beyond: on a slow machine
as on a quick one some fall before its append, some after, and some runs end."""


@pytest.mark.parametrize("kills", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost_and_the_journal_verifies(tmp_path: Path, kills: int) -> None:
    office = Rehearsal(tmp_path / "office")
    office.fund(2)
    random = seeded(20_261_123)
    held = office.draft("--to", f"{stranger(0)}=1btc")
    files = []
    for number in (1, 2, 3):
        path = tmp_path / f"signed-{number}.psbt"
        path.write_bytes(office.device(number).sign(base64.b64decode(held["psbt"])))
        files.append(path)
    killed = acknowledged = 0
    within_ms = _whole_run_ms(_command(office, 0, files)) * _OF_A_WHOLE_RUN
    for turn in range(kills):
        command = _command(office, turn, files)
        before = office.json(["journal", "verify"])
        outcome = run_and_kill(command, random=random, within_ms=int(within_ms))
        killed += outcome.killed
        after = office.json(["journal", "verify", "--expect-head", before["head"]])
        assert after["ok"] is True
        acknowledged += _require_recorded(office, outcome)
    assert killed > 0
    assert acknowledged > 0
    print(f"kills {killed} of {kills}, acknowledged and found {acknowledged}")


def _whole_run_ms(command: list[str | Path]) -> float:
    started = time.monotonic()
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return (time.monotonic() - started) * 1_000


def _command(office: Rehearsal, turn: int, files: list[Path]) -> list[str | Path]:
    base: list[str | Path] = [sys.executable, "-c", "from custody_cli.app import main; main()"]
    base += ["--vault", office.folder, "--json"]
    kinds: list[list[str | Path]] = [
        ["address", "next"],
        ["proposal", "draft", "--to", f"{stranger(turn)}=0.01btc", "--fee-rate", "5", "--min-confirmations", "1"],
        ["proposal", "add", files[turn // 4 % len(files)]],
        ["address", "next", "--label", f"turn {turn}"],
    ]
    return [*base, *kinds[turn % len(kinds)]]


def _require_recorded(office: Rehearsal, outcome: Outcome) -> int:
    """Return 1 where the command answered, after finding in the journal what it acknowledged."""
    try:
        answer = json.loads(outcome.stdout)
    except ValueError:
        return 0
    entries = SqliteJournal(office.folder / "journal.db").entries()
    if "proposal_id" in answer:
        drafted = [one for one in entries if one.kind == "proposal_drafted"]
        assert answer["proposal_id"] in {one.body["proposal_id"] for one in drafted}
        for name in answer["signing"]["signed"]:
            assert name in office.show(answer)["signing"]["signed"]
    else:
        issued = {one.body["address"]: one.body["index"] for one in entries if one.kind == "address_issued"}
        assert issued[answer["address"]] == answer["index"]
    return 1
