"""The journal read as a stream: the same entries, refusals and findings, in flat memory, nothing held in between."""

import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from custody.atomic import create_file_from
from custody.audit.fold import fold
from custody.audit.journal import Entry, linked
from custody.errors import Altered, Finding
from custody.workspace.sqlite_store import SqliteJournal
from support.cli import run, run_json
from support.journals import JOURNAL_ID, LOCAL_DISK, make_chain, make_entry, make_journal, tamper
from support.long_journal import long_journal
from support.vaults import create_arguments, make_vault

BIG = "x" * 400_000
"""Three entries with this text are more than one piece of a stream."""


def big_journal(folder: Path, length: int = 10) -> SqliteJournal:
    journal = make_journal(folder, 0)
    journal.append(make_chain(length, mark=BIG), expected_head=None)
    return journal


def open_files(path: Path) -> int:
    descriptors = [one for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return [one.readlink() for one in descriptors].count(path)


@pytest.mark.parametrize("start", [0, 1, 2, 9, 10, 99])
def test_a_stream_yields_what_the_list_holds(tmp_path: Path, start: int) -> None:
    journal = big_journal(tmp_path)
    assert tuple(journal.stream(start)) == journal.entries(start) == journal.entries()[start:]


def test_a_stream_of_an_empty_journal_is_empty(tmp_path: Path) -> None:
    assert list(make_journal(tmp_path, 0).stream()) == []


def test_inspected_one_by_one_or_at_once_is_the_same(tmp_path: Path) -> None:
    journal = big_journal(tmp_path)
    tamper(journal.path, ("DELETE FROM entry WHERE seq = 5", ()), ("UPDATE entry SET prev = 'x' WHERE seq = 8", ()))
    found = list(journal.inspect_each())
    whole = journal.inspect()
    assert tuple(one for one in found if isinstance(one, Entry)) == whole.entries
    assert tuple(one for one in found if isinstance(one, Finding)) == whole.findings
    assert [(one.where, one.message.split()[0]) for one in whole.findings] == [
        ("entry:5", "seq"),
        ("entry:5", "prev"),
        ("entry:8", "seq"),
    ]


def test_a_stream_that_is_left_early_holds_no_lock_and_no_file(tmp_path: Path) -> None:
    journal = big_journal(tmp_path)
    entries = journal.entries()
    stream = journal.stream()
    assert list(islice(stream, 4)) == list(entries[:4])
    assert open_files(journal.path) == 0
    more = make_chain(1, after=entries[-1])
    journal.append(more, expected_head=entries[-1].hash)
    with closing(sqlite3.connect(journal.path, isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("ROLLBACK")
    # What came after the first look is for the next reader.
    assert list(stream) == list(entries[4:])
    assert tuple(journal.stream()) == (*entries, *more)


def test_a_stream_stops_at_the_first_break(tmp_path: Path) -> None:
    journal = big_journal(tmp_path)
    entries = journal.entries()
    tamper(journal.path, ("UPDATE entry SET entry = ? WHERE seq = 7", (entries[7].canonical.replace(b"ann", b"bob"),)))
    seen: list[Entry] = []
    with pytest.raises(Altered):
        for entry in journal.stream():
            seen.append(entry)
    assert seen == list(entries[:7])


def test_a_piece_from_another_history_does_not_follow(tmp_path: Path) -> None:
    journal = big_journal(tmp_path)
    stream = journal.stream()
    next(stream)
    journal.path.unlink()
    other = make_journal(tmp_path, 0)
    other.append(make_chain(10, mark="other" + BIG), expected_head=None)
    with pytest.raises(Altered):
        list(stream)


@pytest.mark.parametrize("ask", ["stream", "inspect_each"])
def test_entries_that_vanish_while_they_are_read_are_an_alteration(tmp_path: Path, ask: str) -> None:
    journal = big_journal(tmp_path)
    stream = getattr(journal, ask)()
    next(stream)
    tamper(journal.path, ("DELETE FROM entry WHERE seq > 2", ()))
    with pytest.raises(Altered) as caught:
        list(stream)
    assert "lost entries" in caught.value.message


def test_a_missing_entry_before_the_start_is_an_alteration(tmp_path: Path) -> None:
    journal = make_journal(tmp_path, 6)
    tamper(journal.path, ("DELETE FROM entry WHERE seq = 2", ()))
    for read in (journal.entries, lambda start: list(journal.stream(start))):
        with pytest.raises(Altered):
            read(3)
        assert [entry.seq for entry in read(4)] == [4, 5]


@pytest.mark.parametrize("seq", [-1, -5, -(2**63), 2**63 - 1])
def test_a_row_at_a_position_that_no_entry_has_is_found(tmp_path: Path, seq: int) -> None:
    journal = make_journal(tmp_path, 3)
    stray = make_entry(0)
    tamper(journal.path, ("INSERT INTO entry VALUES (?, 'a', ?, ?)", (seq, "b" * 64, stray.canonical)))
    for read in (journal.entries, lambda: list(journal.stream())):
        with pytest.raises(Altered):
            read()
    assert journal.inspect().findings


def test_linked_entries_follow_one_another_or_the_one_before() -> None:
    entries = make_chain(6)
    assert list(linked(entries)) == entries
    assert list(linked(entries[3:], after=entries[2])) == entries[3:]
    for broken in (entries[1:], [entries[0], entries[2]], [*entries[:2], make_entry(2, "1" * 64)]):
        with pytest.raises(Altered) as caught:
            list(linked(broken))
        assert "entry:" in caught.value.message


def test_a_fold_takes_a_stream() -> None:
    entries = list(long_journal(120))
    assert fold(iter(entries)) == fold(entries)


def _peak(folder: Path, length: int) -> int:
    journal = big_journal(folder, length)
    tracemalloc.start()
    try:
        count = sum(1 for _ in journal.stream()) + sum(1 for _ in journal.inspect_each())
        assert count == 2 * length
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_journal(tmp_path: Path) -> None:
    for name in ("short", "long"):
        (tmp_path / name).mkdir()
    assert _peak(tmp_path / "long", 40) < 1.2 * _peak(tmp_path / "short", 10)


def test_a_file_made_of_pieces_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"first"
        raise Altered("JOURNAL_ALTERED", "no", advice="no")  # type: ignore[arg-type]

    with pytest.raises(Altered):
        create_file_from(tmp_path / "export", pieces())
    assert list(tmp_path.iterdir()) == []
    create_file_from(tmp_path / "export", iter([b"a", b"", b"b"]))
    assert (tmp_path / "export").read_bytes() == b"ab"


def test_a_broken_journal_is_not_exported_in_part(tmp_path: Path) -> None:
    folder, target = tmp_path / "reserve", tmp_path / "export.jsonl"
    assert run(create_arguments(make_vault(), folder)).exit_code == 0
    journal = SqliteJournal(folder / "journal.db", mount_table=LOCAL_DISK)
    (adopted,) = journal.entries()
    assert adopted.journal_id != JOURNAL_ID
    more: list[Entry] = []
    for seq in range(1, 8):
        before = more[-1] if more else adopted
        more.append(make_entry(seq, before.hash, body={"label": BIG}, journal_id=adopted.journal_id))
    journal.append(more, expected_head=adopted.hash)
    head = more[-1].hash
    assert run_json(["--vault", folder, "journal", "export", "-o", target])["head"] == head
    assert target.read_bytes() == b"".join(entry.export_line() for entry in journal.entries())
    target.unlink()
    tamper(journal.path, ("UPDATE entry SET prev = ? WHERE seq = 7", ("e" * 64,)))
    refused = run(["--vault", folder, "journal", "export", "-o", target])
    assert (refused.exit_code, refused.stdout, target.exists()) == (10, "", False)
    streamed = run(["--vault", folder, "journal", "export"])
    assert (streamed.exit_code, streamed.stdout) == (10, "")


def test_show_picks_its_entries_from_the_stream(tmp_path: Path) -> None:
    folder = tmp_path / "reserve"
    assert run(create_arguments(make_vault(), folder)).exit_code == 0
    journal = SqliteJournal(folder / "journal.db", mount_table=LOCAL_DISK)
    (adopted,) = journal.entries()
    more: list[Entry] = []
    for seq in range(1, 5):
        before = more[-1] if more else adopted
        more.append(make_entry(seq, before.hash, journal_id=adopted.journal_id))
    journal.append(more, expected_head=adopted.hash)
    for options, expected in (
        ([], [0, 1, 2, 3, 4]),
        (["--limit", "2"], [3, 4]),
        (["--from", "3"], [3, 4]),
        (["--from", "1", "--limit", "2"], [1, 2]),
        (["--from", "9"], []),
    ):
        shown = run_json(["--vault", folder, "journal", "show", *options])
        assert [entry["seq"] for entry in shown["entries"]] == expected
        assert (shown["count"], shown["head"]) == (5, more[-1].hash)
