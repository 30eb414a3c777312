"""Builders of small journals, and the hand of somebody who owns the disk."""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from custody.audit.journal import GENESIS_PREV, Entry, EntryTip
from custody.codes import Code
from custody.errors import Conflict, JsonValue
from custody.ports import JournalStore
from custody.workspace.sqlite_store import SqliteJournal

JOURNAL_ID = "5f" * 16
LOCAL_DISK = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"


def make_entry(
    seq: int = 0,
    prev: str = GENESIS_PREV,
    *,
    body: dict[str, JsonValue] | None = None,
    request_id: str | None = None,
    journal_id: str = JOURNAL_ID,
) -> Entry:
    return Entry.make(
        journal_id=journal_id,
        seq=seq,
        time="2026-11-24T12:00:00Z",
        tip=EntryTip(height=100 + seq, block_hash="ab" * 32, median_time_past=1_790_000_000),
        actor="ann",
        kind="label_set",
        body={"label": f"number {seq}"} if body is None else body,
        request_id=request_id or f"request-{seq}",
        prev=prev,
    )


def make_chain(length: int, *, after: Entry | None = None, mark: str = "") -> list[Entry]:
    entries: list[Entry] = []
    for _ in range(length):
        seq, prev = (0, GENESIS_PREV) if after is None else (after.seq + 1, after.hash)
        after = make_entry(seq, prev, body={"label": f"{mark}{seq}"})
        entries.append(after)
    return entries


def make_journal(folder: Path, length: int) -> SqliteJournal:
    journal = SqliteJournal.create(folder / "journal.db", JOURNAL_ID, mount_table=LOCAL_DISK)
    if length:
        journal.append(make_chain(length), expected_head=None)
    return journal


def export(entries: list[Entry]) -> bytes:
    return b"".join(entry.export_line() for entry in entries)


def tamper(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Change rows behind the program's back: lift the triggers, change, and put them back as they were."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _sql in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement, values in statements:
            connection.execute(statement, values)
        for _name, sql in triggers:
            connection.execute(sql)


def picture(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything that a write would change: names, modes, times and bytes of a folder and what is in it."""
    found = {".": (folder.stat().st_mode, folder.stat().st_mtime_ns, b"")}
    for path in sorted(folder.rglob("*")):
        seen = os.lstat(path)
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (seen.st_mode, seen.st_mtime_ns, content)
    return found


def append_from_threads(journal: JournalStore, count: int) -> list[Code]:
    """Append `count` entries from each of three threads, again after each lost race; return the codes of those."""
    moved: list[Code] = []

    def append(name: str) -> None:
        written = 0
        while written < count:
            seq, prev = journal.head() or (-1, None)
            try:
                journal.append(
                    [make_entry(seq + 1, prev or "0" * 64, request_id=f"{name}-{written}")], expected_head=prev
                )
                written += 1
            except Conflict as error:
                moved.append(error.code)

    threads = [threading.Thread(target=append, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return moved
