"""The journal in PostgreSQL: one chain for several offices, append-only, and never trusted.

Kept are the canonical bytes of each entry and its hash; what is read is verified again, every time,
and so are the tables, triggers and rights that it is read from. An append takes the journal's
advisory lock, compares the head, inserts and commits, all in one transaction of its own.

A commit whose answer is lost is neither a success nor a failure. The store then connects anew,
takes the same lock (the old transaction is over once it has it) and looks for its request: there,
it was written; not there, it was not, and the caller may try again; not to be found out, it says so.

It deliberately has no way to change or remove anything. The owner of the database can still replace
all of it; a head hash kept elsewhere shows that.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypeVar

import psycopg
from psycopg.rows import TupleRow

from custody.audit.journal import Entry, Inspection, check_chain, inspect_stored
from custody.audit.journal_fields import altered, finding, is_id, malformed
from custody.codes import Code
from custody.errors import Altered, Conflict
from custody.workspace.journal_url import JournalUrl
from custody.workspace.postgres_store_connect import Limits, Role, begin, connect, error_for, is_cut, translated
from custody.workspace.postgres_store_layout import check_schema

Cursor = psycopg.Cursor[TupleRow]

_Answer = TypeVar("_Answer")
_Row = tuple[int, bytes, bytes, bytes]
"""seq, prev, hash, canonical bytes without hash, as they stand in the table."""


class PostgresJournal:
    """A `custody.ports.JournalStore` in a database; nothing is connected until it is asked."""

    def __init__(self, url: JournalUrl, journal_id: str, *, limits: Limits | None = None) -> None:
        if not is_id(journal_id):
            raise malformed("journal id is not a plain id")
        self.url = url
        self._journal_id = journal_id
        self._limits = limits or Limits()

    @classmethod
    def create(cls, url: JournalUrl, journal_id: str, *, limits: Limits | None = None) -> "PostgresJournal":
        """Add a new, empty journal to a database that has our tables.

        Raises:
            Conflict: FILE_EXISTS when the database holds it already, DATABASE_UNAVAILABLE, DATABASE_NOT_DURABLE.
            Altered: the database has no tables of ours, or altered ones.
        """
        journal = cls(url, journal_id, limits=limits)
        with journal.writing() as cursor:
            if is_there(cursor, journal_id):
                raise Conflict(
                    Code.FILE_EXISTS,
                    f"the database holds journal `{journal_id}` already",
                    advice="Name it in custody.yaml to work with it.",
                )
            cursor.execute("INSERT INTO custody.journal VALUES (%s)", [journal_id])
        return journal

    def journal_id(self) -> str:
        """Return the id that every entry of this journal carries, after the database was found to hold it."""
        self._read(lambda _cursor: None)
        return self._journal_id

    def head(self) -> tuple[int, str] | None:
        """Return (seq, hash) of the newest entry, None when empty; its own hash is verified, the chain is not."""
        newest = self._read(self.newest)
        return None if newest is None else (newest.seq, newest.hash)

    def entries(self, start: int = 0) -> Sequence[Entry]:
        """Return the entries from `start` on, each verified and linked, the first to the one before it.

        Raises:
            Altered: an entry, the chain, the tables or the rights are not what was written.
            Conflict: DATABASE_UNAVAILABLE, JOURNAL_RELOCATED.
        """
        return self._read(lambda cursor: self.all_entries(cursor, start))

    def inspect(self) -> Inspection:
        """Read everything and return every discrepancy of the entries; those of the tables are raised."""
        rows = self._read(lambda cursor: self._rows(cursor, -1))
        inspection = inspect_stored((stored, entry_hash.hex()) for _seq, _prev, entry_hash, stored in rows)
        findings = [*inspection.findings]
        columns = {entry_hash.hex(): (seq, prev.hex()) for seq, prev, entry_hash, _stored in rows}
        for entry in inspection.entries:
            if columns[entry.hash] != (entry.seq, entry.prev):
                findings.append(finding(f"entry:{entry.seq}", "seq or prev beside the entry is not the entry's own"))
        if inspection.entries and inspection.entries[0].journal_id != self._journal_id:
            findings.append(finding("entry:0", "journal id is not the one that it is stored under"))
        return Inspection(inspection.entries, tuple(findings))

    def find_request(self, request_id: str) -> tuple[Entry, ...]:
        """Return the entries of one request: after a lost acknowledgement, what was written after all."""
        return self._read(lambda cursor: self._of_request(cursor, request_id, 0))

    def append(self, entries: Sequence[Entry], *, expected_head: str | None) -> None:
        """Append all entries or none, if the head's hash still is `expected_head` (None: empty journal).

        When this returns, the entries survive a kill and a power cut of the server.

        Raises:
            Conflict: JOURNAL_MOVED, WORKSPACE_LOCKED, WORKSPACE_READ_ONLY, WRITE_FAILED (it was not written),
                ACKNOWLEDGEMENT_LOST (it may have been: ask `find_request` before trying again),
                DATABASE_UNAVAILABLE, DATABASE_NOT_DURABLE, JOURNAL_RELOCATED.
            Altered: the newest entry, the tables or the rights are not what was written.
            ValueError: the entries don't follow one another or the expected head.
        """
        with self.writing(settle=entries) as cursor:
            self.require_open(cursor)
            newest = self.newest(cursor)
            _require_head(newest, expected_head)
            self._require_appendable(entries, newest)
            insert(cursor, entries)

    @contextmanager
    def writing(self, *, settle: Sequence[Entry] = ()) -> Iterator[Cursor]:
        """Yield a cursor in a transaction that holds the journal's lock, over checked tables; commit at the end.

        After a lost acknowledgement the entries to `settle` are looked for; without any it is an error.
        """
        with closing(connect(self.url, self._limits)) as connection:
            try:
                begin(connection, Role.WRITER, self._limits)
                cursor = connection.cursor(binary=True)
                self._lock(cursor)
                check_schema(cursor)
                _require_durable(cursor)
                yield cursor
            except psycopg.Error as error:
                raise _not_written() if is_cut(error) else error_for(error) from error
            try:
                done = connection.execute("COMMIT").statusmessage
            except psycopg.Error as error:
                if settle:
                    self._settle(settle, error)
                    return
                raise _acknowledgement_lost() from error
            if done != "COMMIT":
                raise _not_written()

    def _settle(self, entries: Sequence[Entry], cause: psycopg.Error) -> None:
        """Find out whether a commit without an answer took place; return if it did."""
        for pause_ms in self._limits.retries_ms:
            time.sleep(pause_ms / 1_000)
            try:
                with closing(connect(self.url, self._limits)) as connection, translated():
                    begin(connection, Role.WRITER, self._limits, lock_ms=self._limits.settle_lock_ms)
                    cursor = connection.cursor(binary=True)
                    self._lock(cursor)
                    check_schema(cursor)
                    found = self._of_request(cursor, entries[0].request_id, entries[0].seq)
                    break
            except Conflict:
                continue
        else:
            raise _acknowledgement_lost() from cause
        written = [entry for entry in entries if entry in found]
        if not written:
            raise _not_written() from cause
        if len(written) != len(entries):
            raise altered("the database committed a part of a step") from cause

    def _read(self, question: Callable[[Cursor], _Answer]) -> _Answer:
        with closing(connect(self.url, self._limits)) as connection, translated():
            begin(connection, Role.READER, self._limits)
            cursor = connection.cursor(binary=True)
            check_schema(cursor)
            self.require_open(cursor)
            return question(cursor)

    def require_open(self, cursor: Cursor) -> None:
        """Demand that the database holds this journal, and that it has not moved to another place."""
        if not is_there(cursor, self._journal_id):
            raise altered(f"the database holds no journal `{self._journal_id}`", code=Code.JOURNAL_MISSING)
        if len(handovers(cursor, self._journal_id)) % 2:
            raise Conflict(
                Code.JOURNAL_RELOCATED,
                "the journal was moved from this database to another place, or is on its way",
                advice="Ask the office that moved it; if that was this one, run the same `custody journal move` again.",
            )

    def newest(self, cursor: Cursor) -> Entry | None:
        """Return the newest entry, its own hash verified."""
        rows = self._select(cursor, "ORDER BY seq DESC LIMIT 1")
        return self._entry(rows[0]) if rows else None

    def all_entries(self, cursor: Cursor, start: int = 0) -> tuple[Entry, ...]:
        """Return the entries from `start` on, verified and linked."""
        entries = [self._entry(row) for row in self._rows(cursor, start - 1)]
        after = entries.pop(0) if start > 0 and entries else None
        check_chain(entries, after=after)
        return tuple(entries)

    def _of_request(self, cursor: Cursor, request_id: str, start: int) -> tuple[Entry, ...]:
        if not is_id(request_id):
            raise malformed("request id is not a plain id")
        # A plain id needs no JSON escapes, so the bytes are found wherever they stand; the parsed field decides.
        needle = f'"request_id":"{request_id}"'.encode("ascii")
        rows = self._select(cursor, "AND seq >= %b AND position(%b in entry) > 0 ORDER BY seq", start, needle)
        return tuple(entry for entry in map(self._entry, rows) if entry.request_id == request_id)

    def _rows(self, cursor: Cursor, start: int) -> list[_Row]:
        return self._select(cursor, "AND seq >= %b ORDER BY seq", start)

    def _select(self, cursor: Cursor, clause: str, *values: int | bytes) -> list[_Row]:
        query = f"SELECT seq, prev, hash, entry FROM custody.entry WHERE journal_id = %s {clause}"  # noqa: S608 (ours)
        rows = cursor.execute(query.encode(), [self._journal_id, *values]).fetchall()
        for row in rows:
            if tuple(map(type, row)) != (int, bytes, bytes, bytes):
                raise altered("a row of the journal holds something else than an entry")
        return rows

    def _entry(self, row: _Row) -> Entry:
        seq, prev, entry_hash, stored = row
        entry = Entry.from_stored(stored, entry_hash.hex())
        if (entry.seq, entry.prev, entry.journal_id) != (seq, prev.hex(), self._journal_id):
            raise altered(f"entry:{seq}: journal id, seq or prev beside the entry is not the entry's own")
        return entry

    def _lock(self, cursor: Cursor) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [self._journal_id])

    def _require_appendable(self, entries: Sequence[Entry], newest: Entry | None) -> None:
        """Refuse what only a bug of ours could hand in, before it becomes history."""
        try:
            for entry in entries:
                if entry.journal_id != self._journal_id:
                    raise altered(f"entry:{entry.seq}: journal id is not that of the journal")
                if Entry.from_stored(entry.canonical, entry.hash) != entry:
                    raise altered(f"entry:{entry.seq}: the fields are not those that its hash covers")
            check_chain(entries, after=newest)
        except Altered as error:
            raise ValueError(f"entries can't be appended: {error.message}") from error


def is_there(cursor: Cursor, journal_id: str) -> bool:
    """Whether the database holds a journal of this id, moved away or not."""
    return cursor.execute("SELECT 1 FROM custody.journal WHERE journal_id = %s", [journal_id]).fetchone() is not None


def handovers(cursor: Cursor, journal_id: str) -> list[str]:
    """Return the nonces of the moves from (1st, 3rd, …) and to (2nd, …) this database."""
    rows = cursor.execute("SELECT nonce FROM custody.handover WHERE journal_id = %s ORDER BY number", [journal_id])
    return [str(row[0]) for row in rows]


def insert(cursor: Cursor, entries: Sequence[Entry]) -> None:
    """Insert entries as they are; the tables demand that they follow."""
    cursor.executemany(
        "INSERT INTO custody.entry (journal_id, seq, prev, hash, entry) VALUES (%s, %b, %b, %b, %b)",
        [(one.journal_id, one.seq, bytes.fromhex(one.prev), bytes.fromhex(one.hash), one.canonical) for one in entries],
    )


def _require_durable(cursor: Cursor) -> None:
    row = cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')").fetchone()
    if row is None or row[0] != "on" or row[1] not in ("on", "remote_apply"):
        raise Conflict(
            Code.DATABASE_NOT_DURABLE,
            "the journal's database doesn't write to disk before it answers (fsync is off)",
            advice="Let its administrator set fsync on; nothing was written.",
        )


def _require_head(newest: Entry | None, expected_head: str | None) -> None:
    found = None if newest is None else newest.hash
    if found != expected_head:
        raise Conflict(
            Code.JOURNAL_MOVED,
            "somebody else wrote to the journal in the meantime",
            advice="Look at what is new with `custody journal show`, then do it again.",
            details={"expected_head": expected_head, "head": found},
        )


def _not_written() -> Conflict:
    return Conflict(
        Code.WRITE_FAILED,
        "the connection to the journal's database broke before the step was written; it was not written",
        advice="Do it again.",
    )


def _acknowledgement_lost() -> Conflict:
    return Conflict(
        Code.ACKNOWLEDGEMENT_LOST,
        "the connection to the journal's database broke while the step was written, and it can't be reached to look",
        advice="When it can be reached again, look with `custody journal show` whether the step was recorded.",
    )
