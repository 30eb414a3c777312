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
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from custody.atomic import create_file, read_start
from custody.audit.journal import Entry, Inspection, Inspector, check_chain, linked
from custody.audit.journal_fields import altered, finding, is_id, malformed
from custody.codes import Code
from custody.errors import Finding, InvalidInput
from custody.workspace.appending import require_appendable, require_head, require_same_journal
from custody.workspace.file_system import read_mount_table, require_local
from custody.workspace.sqlite_errors import error_code, error_for
from custody.workspace.sqlite_schema import HEADER_LENGTH, check_header, check_schema, new_database

_BUSY_TIMEOUT_S = 2
_PIECE_BYTES = 1_000_000
"""A long journal is read in pieces of about this size, or of one entry."""
_LOWEST_SEQ, _HIGHEST_SEQ = -(2**63), 2**63 - 1
"""What a position in a table can be: a row that nobody of us wrote is seen wherever it stands."""
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
        after, rest = self._entries_from(start)
        entries = tuple(rest)
        check_chain(entries, after=after)
        return entries

    def stream(self, start: int = 0) -> Iterator[Entry]:
        """Yield what `entries` returns, one by one, each verified and linked before it is yielded.

        Memory stays flat, and whoever stops early leaves nothing open or locked: the file is read in pieces, each in
        a transaction of its own. That they belong together is shown by the chain between them and not by a lock, so
        a slow reader hinders no writer; what others append meanwhile is not yielded. Raises as `entries`, at the
        entry where it shows.
        """
        after, rest = self._entries_from(start)
        yield from linked(rest, after=after)

    def inspect(self) -> Inspection:
        """Read everything and return every discrepancy, those of the file itself among them."""
        return Inspection.of(self.inspect_each())

    def inspect_each(self) -> Iterator[Entry | Finding]:
        """Yield each readable entry, and before it what is wrong there; last what is wrong with the file.

        Memory stays flat, as in `stream`.
        """
        journal_id, rows = self._open(_LOWEST_SEQ)
        inspector = Inspector()
        is_first = True
        for position, (seq, prev, entry_hash, stored) in enumerate(rows):
            for found in inspector.judge(f"entry:{position}", partial(Entry.from_stored, stored, entry_hash)):
                if isinstance(found, Entry):
                    if (found.seq, found.prev) != (seq, prev):
                        yield finding(f"entry:{found.seq}", "seq or prev beside the entry is not the entry's own")
                    if is_first and found.journal_id != journal_id:
                        yield finding("entry:0", "journal id is not that of the file")
                    is_first = False
                yield found
        for complaint in self._read(_complaints):
            yield finding("file", complaint)

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
            require_head(newest, expected_head)
            require_appendable(entries, newest, _journal_id(connection))
            connection.executemany(
                "INSERT INTO entry (seq, prev, hash, entry) VALUES (?, ?, ?, ?)",
                [(entry.seq, entry.prev, entry.hash, entry.canonical) for entry in entries],
            )
            connection.execute("COMMIT")

    def _entries_from(self, start: int) -> tuple[Entry | None, Iterator[Entry]]:
        """Return the entry before `start` and those from there on, each verified by itself, not yet linked."""
        journal_id, rows = self._open(start - 1 if start > 0 else _LOWEST_SEQ)
        entries = map(_entry, rows)
        first = next(entries, None)
        if first is None:
            return None, entries
        require_same_journal(first, journal_id)
        if start <= 0:
            return None, chain((first,), entries)
        if first.seq != start - 1:
            raise altered(f"entry:{start - 1} is missing before entry:{first.seq}")
        return first, entries

    def _open(self, first: int) -> tuple[str, Iterator[_Row]]:
        """Look at the file; return its journal's id, and the rows from `first` up to the newest of this look."""
        journal_id, last, piece = self._read(
            lambda connection: (_journal_id(connection), _last_seq(connection), _piece(connection, first, _HIGHEST_SEQ))
        )
        return journal_id, self._rows(piece, first, last)

    def _rows(self, piece: list[_Row], first: int, last: int) -> Iterator[_Row]:
        while piece:
            yield from piece
            # Rows of a damaged file may come in any order; going up all the same, this ends.
            first = max(first, piece[-1][0]) + 1
            if first > last:
                return
            piece = self._read(partial(_piece, first=first, last=last))
        if first <= last:
            raise altered(f"`{self.path}` lost entries while it was read")

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
        try:
            mode = side.lstat().st_mode
        except FileNotFoundError:
            continue  # it may go at any moment: another process ends its append
        if suffix != "-journal":
            # SQLite would read pages from it, whatever the header says.
            raise altered(f"`{side}` stands beside the journal, which never makes one")
        if not stat.S_ISREG(mode):
            raise altered(f"`{side}` is not a plain file")


def _journal_id(connection: sqlite3.Connection) -> str:
    rows = connection.execute("SELECT journal_id FROM journal").fetchall()
    if len(rows) != 1 or not isinstance(rows[0][0], str) or not is_id(rows[0][0]):
        raise altered("the file does not hold one journal id")
    return str(rows[0][0])


def _newest(connection: sqlite3.Connection) -> Entry | None:
    rows = _select(connection, "ORDER BY seq DESC LIMIT 1")
    return _entry(rows[0]) if rows else None


def _last_seq(connection: sqlite3.Connection) -> int:
    """Return the highest position in the table, one below the lowest possible where it is empty."""
    found = connection.execute("SELECT max(seq) FROM entry").fetchone()[0]
    return found if isinstance(found, int) else _LOWEST_SEQ - 1


def _piece(connection: sqlite3.Connection, first: int, last: int) -> list[_Row]:
    """Return rows from `first` to `last` in their order, as many as make a piece; at least one if there is any."""
    rows: list[_Row] = []
    size = 0
    for row in connection.execute(
        "SELECT seq, prev, hash, entry FROM entry WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, last)
    ):
        rows.append(_checked(row))
        size += len(row[3])
        if size >= _PIECE_BYTES:
            break
    return rows


def _select(connection: sqlite3.Connection, clause: str, *values: int | bytes) -> list[_Row]:
    rows = connection.execute(f"SELECT seq, prev, hash, entry FROM entry {clause}", values)  # noqa: S608 (ours)
    return [_checked(row) for row in rows]


def _checked(row: _Row) -> _Row:
    seq, prev, entry_hash, stored = row
    if type(seq) is not int or type(prev) is not str or type(entry_hash) is not str or type(stored) is not bytes:
        raise altered("a row of the journal holds something else than an entry")
    return row


def _entry(row: _Row) -> Entry:
    seq, prev, entry_hash, stored = row
    entry = Entry.from_stored(stored, entry_hash)
    if (entry.seq, entry.prev) != (seq, prev):
        raise altered(f"entry:{seq}: seq or prev beside the entry is not the entry's own")
    return entry


def _complaints(connection: sqlite3.Connection) -> list[str]:
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    return [f"the database is damaged: {line[:_MAX_ADVICE_LENGTH]}" for line in found if line != "ok"]
