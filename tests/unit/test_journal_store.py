import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from custody.audit.journal import inspect_export
from custody.codes import Code
from custody.errors import Altered, Conflict, InvalidInput, UpgradeNeeded
from custody.workspace.sqlite_store import SqliteJournal
from support.journals import (
    JOURNAL_ID,
    LOCAL_DISK,
    append_from_threads,
    make_chain,
    make_entry,
    make_journal,
    picture,
    tamper,
)

TESTS = Path(__file__).resolve().parents[1]


def test_a_new_journal_is_empty_private_and_alone_in_its_folder(tmp_path):
    journal = SqliteJournal.create(tmp_path / "journal.db", JOURNAL_ID, mount_table=LOCAL_DISK)
    assert (journal.head(), journal.entries(), journal.journal_id()) == (None, (), JOURNAL_ID)
    assert journal.inspect().findings == ()
    assert list(tmp_path.iterdir()) == [journal.path]
    assert stat.S_IMODE((tmp_path / "journal.db").stat().st_mode) == 0o600


def test_create_leaves_an_existing_journal_alone(tmp_path):
    journal = make_journal(tmp_path, 2)
    before = picture(tmp_path)
    with pytest.raises(Conflict) as caught:
        SqliteJournal.create(journal.path, JOURNAL_ID, mount_table=LOCAL_DISK)
    assert caught.value.code is Code.FILE_EXISTS
    assert {name: seen[2] for name, seen in picture(tmp_path).items()} == {n: seen[2] for n, seen in before.items()}


def test_appended_entries_are_read_back(tmp_path):
    journal = make_journal(tmp_path, 0)
    entries = make_chain(5)
    journal.append(entries[:2], expected_head=None)
    journal.append(entries[2:], expected_head=entries[1].hash)
    assert journal.entries() == tuple(entries)
    assert journal.entries(3) == tuple(entries[3:])
    assert journal.entries(5) == journal.entries(99) == ()
    assert journal.head() == (4, entries[4].hash)
    assert list(tmp_path.iterdir()) == [journal.path]


def test_stores_the_canonical_bytes_and_not_json(tmp_path):
    journal = make_journal(tmp_path, 1)
    with closing(sqlite3.connect(journal.path)) as connection:
        rows = connection.execute("SELECT seq, prev, hash, entry FROM entry").fetchall()
    entry = journal.entries()[0]
    assert rows == [(0, entry.prev, entry.hash, entry.canonical)]


def test_a_moved_head_refuses_and_changes_nothing(tmp_path):
    journal = make_journal(tmp_path, 3)
    entries = journal.entries()
    for expected in (None, entries[1].hash, "f" * 64):
        with pytest.raises(Conflict) as caught:
            journal.append(make_chain(1, after=entries[1]), expected_head=expected)
        assert caught.value.code is Code.JOURNAL_MOVED
        assert caught.value.details["head"] == entries[2].hash
    assert journal.entries() == entries


def test_several_entries_are_appended_all_or_none(tmp_path):
    journal = make_journal(tmp_path, 1)
    first = journal.entries()[0]
    good = make_chain(2, after=first)
    for bad in (make_entry(9, good[1].hash), make_entry(3, "1" * 64), make_entry(3, good[1].hash, journal_id="other")):
        with pytest.raises(ValueError, match="can't be appended"):
            journal.append([*good, bad], expected_head=first.hash)
    assert journal.entries() == (first,)


def test_finds_the_entries_of_a_request_and_only_those(tmp_path):
    journal = make_journal(tmp_path, 0)
    decoy = make_entry(0, request_id="r-1", body={"request_id": "r-2"})
    first = make_entry(1, decoy.hash, request_id="r-2")
    second = make_entry(2, first.hash, request_id="r-2")
    journal.append([decoy, first, second], expected_head=None)
    assert journal.find_request("r-2") == (first, second)
    assert journal.find_request("r-") == ()
    with pytest.raises(InvalidInput):
        journal.find_request('"')


def test_export_of_a_store_has_no_findings(tmp_path):
    entries = make_journal(tmp_path, 8).entries()
    inspection = inspect_export(b"".join(entry.export_line() for entry in entries))
    assert (inspection.entries, inspection.findings) == (entries, ())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET hash = 'x' WHERE seq = 1",
        "DELETE FROM entry WHERE seq = 2",
        "INSERT OR REPLACE INTO entry SELECT seq, prev, 'x', entry FROM entry WHERE seq = 1",
        "REPLACE INTO entry SELECT seq, prev, hash, x'00' FROM entry WHERE seq = 2",
        "INSERT INTO entry VALUES (7, 'p', 'h', x'00')",
        "INSERT INTO entry VALUES (3, 'p', 'h', x'00')",
        "INSERT INTO entry VALUES (3, (SELECT hash FROM entry WHERE seq = 2), 7.5, 'text')",
        "UPDATE journal SET journal_id = 'other'",
        "DELETE FROM journal",
        "INSERT OR REPLACE INTO journal VALUES (1, 'other')",
        "INSERT INTO journal VALUES (2, 'other')",
    ],
)
def test_the_file_itself_refuses_to_change_what_is_written(tmp_path, statement):
    journal = make_journal(tmp_path, 3)
    before = journal.entries()
    with closing(sqlite3.connect(journal.path)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    assert journal.entries() == before


def test_reading_writes_nothing(tmp_path):
    journal = make_journal(tmp_path, 5)
    before = picture(tmp_path)
    journal.head(), journal.entries(), journal.entries(2), journal.find_request("request-1")
    journal.inspect(), journal.journal_id()
    assert picture(tmp_path) == before


def test_a_busy_journal_is_a_conflict(tmp_path):
    journal = make_journal(tmp_path, 1)
    head = journal.entries()[0]
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        # SQLite's own locks belong to the process, so the contender must be another one.
        with pytest.raises(subprocess.CalledProcessError) as caught:
            subprocess.run(
                [sys.executable, TESTS / "support" / "appender.py", tmp_path, "late", "1"],
                check=True,
                capture_output=True,
            )
        assert b"being written by another command" in caught.value.stderr
    assert journal.entries() == (head,)


def test_a_missing_journal_is_an_alteration(tmp_path):
    with pytest.raises(Altered) as caught:
        SqliteJournal(tmp_path / "journal.db", mount_table=LOCAL_DISK).entries()
    assert caught.value.code is Code.JOURNAL_MISSING
    assert not list(tmp_path.iterdir())


def _refusal(journal: SqliteJournal) -> Altered:
    for ask in (journal.head, journal.entries, journal.inspect):
        with pytest.raises(Altered) as caught:
            ask()
    with pytest.raises(Altered):
        journal.append(make_chain(1), expected_head=None)
    assert caught.value.exit_code == 10
    return caught.value


@pytest.mark.parametrize("length", [0, 1, 50, 99, 100, 1_000, 4_096, 5_000, 8_192])
def test_a_truncated_file_is_an_alteration(tmp_path, length):
    journal = make_journal(tmp_path, 3)
    journal.path.write_bytes(journal.path.read_bytes()[:length])
    before = picture(tmp_path)
    _refusal(journal)
    assert picture(tmp_path) == before


@pytest.mark.parametrize(
    "content", [b"hello\n", b"SQLite format 3\0" + b"\xff" * 5_000, b"\0" * 10_000, b"SQLite format 3\0" + b"\0" * 100]
)
def test_garbage_is_an_alteration(tmp_path, content):
    journal = SqliteJournal(tmp_path / "journal.db", mount_table=LOCAL_DISK)
    journal.path.write_bytes(content)
    _refusal(journal)


def test_another_programs_database_is_not_a_journal(tmp_path):
    journal = SqliteJournal(tmp_path / "journal.db", mount_table=LOCAL_DISK)
    with closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("CREATE TABLE entry (seq, prev, hash, entry)")
    assert "not a journal of this program" in _refusal(journal).message


def test_a_newer_layout_needs_an_upgrade(tmp_path):
    journal = make_journal(tmp_path, 1)
    with closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(UpgradeNeeded) as caught:
        journal.entries()
    assert caught.value.exit_code == 6


def test_a_journal_switched_to_wal_is_refused_before_side_files_appear(tmp_path):
    journal = make_journal(tmp_path, 1)
    with closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    before = picture(tmp_path)
    assert "journal mode" in _refusal(journal).message
    assert picture(tmp_path) == before


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_planted_side_file_is_refused(tmp_path, suffix):
    journal = make_journal(tmp_path, 1)
    (tmp_path / f"journal.db{suffix}").write_bytes(b"anything")
    _refusal(journal)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER entry_stays",
        "CREATE TABLE more (x)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER more AFTER INSERT ON entry BEGIN SELECT 1; END",
        "CREATE INDEX more ON entry (entry)",
        "ALTER TABLE entry ADD COLUMN more TEXT",
    ],
)
def test_other_tables_or_triggers_are_an_alteration(tmp_path, statement):
    journal = make_journal(tmp_path, 1)
    with closing(sqlite3.connect(journal.path)) as connection:
        connection.execute(statement)
    _refusal(journal)


def test_columns_that_contradict_the_entry_are_found(tmp_path):
    journal = make_journal(tmp_path, 3)
    tamper(journal.path, ("UPDATE entry SET prev = ? WHERE seq = 1", ("e" * 64,)))
    with pytest.raises(Altered):
        journal.entries()
    assert [finding.where for finding in journal.inspect().findings] == ["entry:1"]


def test_another_journals_id_in_the_file_is_found(tmp_path):
    journal = make_journal(tmp_path, 2)
    tamper(journal.path, ("UPDATE journal SET journal_id = 'other'", ()))
    with pytest.raises(Altered):
        journal.entries()
    assert [finding.where for finding in journal.inspect().findings] == ["entry:0"]


def test_threads_of_one_process_do_not_break_each_others_locks(tmp_path):
    journal = make_journal(tmp_path, 0)
    moved = append_from_threads(journal, 20)
    assert [entry.seq for entry in journal.entries()] == list(range(60))
    assert set(moved) <= {Code.JOURNAL_MOVED}


COME_AND_GO = """
import sys
from pathlib import Path
side = Path(sys.argv[1])
while True:
    side.touch()
    side.unlink()
"""


def test_a_side_file_that_vanishes_while_it_is_looked_at_is_no_fault(tmp_path):
    journal = make_journal(tmp_path, 1)
    head = journal.head()
    # As another process's append has it; an empty side file is not hot, so SQLite lets it be.
    other = subprocess.Popen([sys.executable, "-c", COME_AND_GO, f"{journal.path}-journal"])
    try:
        assert {journal.head() for _ in range(2_000)} == {head}
    finally:
        other.kill()
        other.wait()
