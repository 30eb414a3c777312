"""The journal in one SQLite file: append-only, durable, and never trusted.

Kept are the canonical bytes of each entry and its hash; what is read is verified again, every
time. Durable means rollback journal, `synchronous = EXTRA`, and a commit before an answer.
Triggers abort updates and deletions, which stops accidents; the hash chain finds the rest.

Reading never writes: it opens read-only and leaves no side file. The one exception is a half
commit that a crash left: SQLite must roll it back first, and on read-only media it can't.
It deliberately has no way to copy, repair or shorten a journal. The owner of the file can still
replace all of it; a head hash kept elsewhere shows that.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from custody.atomic import create_file, read_start
from custody.audit.journal import Entry, Inspection, check_chain, inspect_stored
from custody.audit.journal_fields import altered, finding, is_id, malformed
from custody.codes import Code
from custody.errors import Altered, Conflict, InvalidInput
from custody.workspace.file_system import read_mount_table, require_local
from custody.workspace.sqlite_errors import error_code, error_for
from custody.workspace.sqlite_schema import HEADER_LENGTH, check_header, check_schema, new_database

_BUSY_TIMEOUT_S = 2
_SIDE_FILES = ("-journal", "-wal", "-shm")
_MAX_ADVICE_LENGTH = 200

# DANGER: closing any descriptor of a file drops every POSIX lock that this process holds on it, those of
# SQLite's other connections too. So one thread at a time looks at a journal file or holds one open.
_ONE_AT_A_TIME = threading.RLock()

_Answer = TypeVar("_Answer")
_Row = tuple[int, str, str, bytes]
"""seq, prev, hash, canonical bytes without hash, as they stand in the table."""


class SqliteJournal:
    """A `custody.ports.JournalStore` in one file; opening it costs nothing until it is asked."""

    def __init__(self, path: Path, *, mount_table: str | None = None) -> None:
        """`mount_table` is the text of `/proc/self/mountinfo`, read anew each time when None."""
        self.path = path
        self._mount_table = mount_table

    @classmethod
    def create(cls, path: Path, journal_id: str, *, mount_table: str | None = None) -> "SqliteJournal":
        """Write a new, empty journal in one step: a kill leaves no file or a valid one.

        Raises:
            Conflict: FILE_EXISTS, NETWORK_FILE_SYSTEM, WORKSPACE_READ_ONLY, WRITE_FAILED.
            InvalidInput: the journal id is not a plain id, or the folder is missing.
        """
        if not is_id(journal_id):
            raise malformed("journal id is not a plain id")
        require_local(path.parent, read_mount_table() if mount_table is None else mount_table)
        create_file(path, new_database(journal_id))
        return cls(path, mount_table=mount_table)

    def journal_id(self) -> str:
        """Return the id that every entry of this journal carries."""
        return self._read(_journal_id)

    def head(self) -> tuple[int, str] | None:
        """Return (seq, hash) of the newest entry, None when empty; its own hash is verified, the chain is not."""
        newest = self._read(_newest)
        return None if newest is None else (newest.seq, newest.hash)

    def entries(self, start: int = 0) -> Sequence[Entry]:
        """Return the entries from `start` on, each verified and linked, the first to the one before it.

        Raises:
            Altered: an entry, the chain, or the file is not what was written.
            Conflict: WORKSPACE_LOCKED, NETWORK_FILE_SYSTEM, or WORKSPACE_READ_ONLY after a crash.
        """
        journal_id, rows = self._read(lambda connection: (_journal_id(connection), _rows(connection, start - 1)))
        entries = [_entry(row) for row in rows]
        for entry in entries[:1]:
            _require_same_journal(entry, journal_id)
        after = entries.pop(0) if start > 0 and entries else None
        check_chain(entries, after=after)
        return tuple(entries)

    def inspect(self) -> Inspection:
        """Read everything and return every discrepancy, those of the file itself among them."""
        journal_id, rows, complaints = self._read(
            lambda connection: (_journal_id(connection), _rows(connection, 0), _complaints(connection))
        )
        inspection = inspect_stored((stored, entry_hash) for _seq, _prev, entry_hash, stored in rows)
        findings = [*inspection.findings]
        columns = {entry_hash: (seq, prev) for seq, prev, entry_hash, _stored in rows}
        for entry in inspection.entries:
            if columns[entry.hash] != (entry.seq, entry.prev):
                findings.append(finding(f"entry:{entry.seq}", "seq or prev beside the entry is not the entry's own"))
        if inspection.entries and inspection.entries[0].journal_id != journal_id:
            findings.append(finding("entry:0", "journal id is not that of the file"))
        findings += [finding("file", complaint) for complaint in complaints]
        return Inspection(inspection.entries, tuple(findings))

    def find_request(self, request_id: str) -> tuple[Entry, ...]:
        """Return the entries of one request: after a lost acknowledgement, what was written after all."""
        if not is_id(request_id):
            raise malformed("request id is not a plain id")
        # A plain id needs no JSON escapes, so the bytes are found wherever they stand; the parsed field decides.
        needle = f'"request_id":"{request_id}"'.encode("ascii")
        rows = self._read(lambda connection: _select(connection, "WHERE instr(entry, ?) > 0 ORDER BY seq", needle))
        return tuple(entry for entry in map(_entry, rows) if entry.request_id == request_id)

    def append(self, entries: Sequence[Entry], *, expected_head: str | None) -> None:
        """Append all entries or none, if the head's hash still is `expected_head` (None: empty journal).

        When this returns, the entries survive a kill and a power cut. When WRITE_FAILED is raised they
        may or may not have been written: ask `find_request` before trying again.

        Raises:
            Conflict: JOURNAL_MOVED, WORKSPACE_LOCKED, WORKSPACE_READ_ONLY, WRITE_FAILED, NETWORK_FILE_SYSTEM.
            Altered: the newest entry or the file is not what was written.
            ValueError: the entries don't follow one another or the expected head.
        """
        with self._watched(), closing(self._connect("rw")) as connection:
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("BEGIN IMMEDIATE")
            check_schema(connection)
            newest = _newest(connection)
            _require_head(newest, expected_head)
            _require_appendable(entries, newest, _journal_id(connection))
            connection.executemany(
                "INSERT INTO entry (seq, prev, hash, entry) VALUES (?, ?, ?, ?)",
                [(entry.seq, entry.prev, entry.hash, entry.canonical) for entry in entries],
            )
            connection.execute("COMMIT")

    def _read(self, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        with self._watched():
            try:
                return self._ask("ro", question)
            except sqlite3.OperationalError as error:
                if error_code(error) != sqlite3.SQLITE_READONLY_ROLLBACK:
                    raise
            # A crash left a half commit: the first look through a writable connection rolls it back.
            self._ask("rw", check_schema)
            return self._ask("ro", question)

    def _ask(self, mode: str, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        with closing(self._connect(mode)) as connection:
            connection.execute("BEGIN")
            check_schema(connection)
            return question(connection)

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"file://{quote(os.fsencode(self.path.absolute()))}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
        # No code, no function and no size that a forged file claims is believed.
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Judge the file before SQLite sees it, and turn SQLite's errors into ours."""
        with _ONE_AT_A_TIME:
            require_local(self.path.parent, read_mount_table() if self._mount_table is None else self._mount_table)
            _check_files(self.path)
            try:
                yield
            except sqlite3.Error as error:
                raise error_for(error, self.path) from error
            except UnicodeDecodeError as error:
                # Python decodes names and messages of a damaged schema itself.
                raise altered(f"`{self.path}` is damaged: it holds text that is not UTF-8") from error


def _check_files(path: Path) -> None:
    try:
        check_header(read_start(path, HEADER_LENGTH))
    except InvalidInput as error:
        if error.code is Code.FILE_NOT_FOUND:
            raise altered(f"`{path}` is missing", code=Code.JOURNAL_MISSING) from error
        raise
    for suffix in _SIDE_FILES:
        side = path.with_name(path.name + suffix)
        if not os.path.lexists(side):
            continue
        if suffix != "-journal":
            # SQLite would read pages from it, whatever the header says.
            raise altered(f"`{side}` stands beside the journal, which never makes one")
        if not stat.S_ISREG(side.lstat().st_mode):
            raise altered(f"`{side}` is not a plain file")


def _journal_id(connection: sqlite3.Connection) -> str:
    rows = connection.execute("SELECT journal_id FROM journal").fetchall()
    if len(rows) != 1 or not isinstance(rows[0][0], str) or not is_id(rows[0][0]):
        raise altered("the file does not hold one journal id")
    return str(rows[0][0])


def _newest(connection: sqlite3.Connection) -> Entry | None:
    rows = _select(connection, "ORDER BY seq DESC LIMIT 1")
    return _entry(rows[0]) if rows else None


def _rows(connection: sqlite3.Connection, start: int) -> list[_Row]:
    return _select(connection, "WHERE seq >= ? ORDER BY seq", start)


def _select(connection: sqlite3.Connection, clause: str, *values: int | bytes) -> list[_Row]:
    rows = connection.execute(f"SELECT seq, prev, hash, entry FROM entry {clause}", values).fetchall()  # noqa: S608 (ours)
    for row in rows:
        if tuple(map(type, row)) != (int, str, str, bytes):
            raise altered("a row of the journal holds something else than an entry")
    return rows


def _entry(row: _Row) -> Entry:
    seq, prev, entry_hash, stored = row
    entry = Entry.from_stored(stored, entry_hash)
    if (entry.seq, entry.prev) != (seq, prev):
        raise altered(f"entry:{seq}: seq or prev beside the entry is not the entry's own")
    return entry


def _complaints(connection: sqlite3.Connection) -> list[str]:
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    return [f"the database is damaged: {line[:_MAX_ADVICE_LENGTH]}" for line in found if line != "ok"]


def _require_head(newest: Entry | None, expected_head: str | None) -> None:
    found = None if newest is None else newest.hash
    if found != expected_head:
        raise Conflict(
            Code.JOURNAL_MOVED,
            "somebody else wrote to the journal in the meantime",
            advice="Look at what is new with `custody journal show`, then do it again.",
            details={"expected_head": expected_head, "head": found},
        )


def _require_appendable(entries: Sequence[Entry], newest: Entry | None, journal_id: str) -> None:
    """Refuse what only a bug of ours could hand in, before it becomes history."""
    try:
        for entry in entries:
            _require_same_journal(entry, journal_id)
            if Entry.from_stored(entry.canonical, entry.hash) != entry:
                raise altered(f"entry:{entry.seq}: the fields are not those that its hash covers")
        check_chain(entries, after=newest)
    except Altered as error:
        raise ValueError(f"entries can't be appended: {error.message}") from error


def _require_same_journal(entry: Entry, journal_id: str) -> None:
    if entry.journal_id != journal_id:
        raise altered(f"entry:{entry.seq}: journal id is not that of the file")
