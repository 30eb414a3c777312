"""A journal in PostgreSQL is backed up from any office, restored into a file, and moved into a database again."""

from pathlib import Path

import pytest

from support.cli import run, run_json
from support.databases import Database
from support.rehearsal import Rehearsal
from support.two_offices import SecondOffice

pytestmark = pytest.mark.postgres


def test_a_shared_journal_is_backed_up_and_comes_back(tmp_path: Path, database: Database, password_file: Path) -> None:
    assert password_file.exists()
    north = Rehearsal(tmp_path / "north")
    north.fund(2)
    in_file = tmp_path / "file.backup"
    north.json(["vault", "backup", in_file])
    north.json(["journal", "move", database.loopback_url().text])
    south = SecondOffice(north, tmp_path / "south")
    shared = tmp_path / "shared.backup"
    answer = south.json(["vault", "backup", shared])
    assert shared.read_bytes() == in_file.read_bytes()
    assert "password" not in shared.read_text()
    again = run_json(["vault", "restore", shared, tmp_path / "again", "--expect-head", answer["head"]])
    assert again["head"] == answer["head"]
    # The database is the beginning of what the restored journal holds: both are one history still.
    index = run_json(["--vault", tmp_path / "again", "address", "next"])["index"]
    assert index == 2
    north.json(["address", "next", "--label", "another"])
    forked = north.json(["journal", "verify"])["head"]
    verify = ["--vault", tmp_path / "again", "journal", "verify", "--expect-head", forked]
    assert run_json(verify, exit_code=10)["findings"][0]["code"] == "JOURNAL_FORK"
    # Moving a forked copy into the living database is refused.
    move = ["--vault", tmp_path / "again", "journal", "move", database.loopback_url().text]
    result = run(move)
    assert result.exit_code in (7, 10), result.stderr
    assert south.json(["journal", "verify"])["head"] == forked
