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
from functools import partial
from itertools import chain
from typing import TypeVar

import psycopg

from custody.audit.journal import Entry, Inspection, Inspector, check_chain, linked
from custody.audit.journal_fields import altered, finding, is_id, malformed
from custody.codes import Code
from custody.errors import Conflict, Finding
from custody.workspace import postgres_store_rows as rows_of
from custody.workspace.appending import require_appendable, require_head
from custody.workspace.journal_url import JournalUrl
from custody.workspace.postgres_store_connect import (
    Limits,
    Role,
    begin,
    connect,
    error_for,
    is_cut,
    not_utf8,
    translated,
)
from custody.workspace.postgres_store_layout import check_schema
from custody.workspace.postgres_store_rows import HIGHEST_SEQ, LOWEST_SEQ, Cursor, Present, Row, entry_of

_Answer = TypeVar("_Answer")


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
            if rows_of.present(cursor, journal_id).is_there:
                raise Conflict(
                    Code.FILE_EXISTS,
                    f"the database holds journal `{journal_id}` already",
                    advice="Name it in custody.yaml to work with it.",
                )
            cursor.execute("INSERT INTO custody.journal VALUES (%s)", [journal_id])
        return journal

    def journal_id(self) -> str:
        """Return the id that every entry of this journal carries, after the database was found to hold it."""
        self._read(lambda _cursor, _present: None)
        return self._journal_id

    def head(self) -> tuple[int, str] | None:
        """Return (seq, hash) of the newest entry, None when empty; its own hash is verified, the chain is not."""
        newest = self._read(lambda _cursor, present: present.newest)
        return None if newest is None else (newest.seq, newest.hash)

    def entries(self, start: int = 0) -> Sequence[Entry]:
        """Return the entries from `start` on, each verified and linked, the first to the one before it.

        Raises:
            Altered: an entry, the chain, the tables or the rights are not what was written.
            Conflict: DATABASE_UNAVAILABLE, JOURNAL_RELOCATED.
        """
        after, rest = self._entries_from(start)
        entries = tuple(rest)
        check_chain(entries, after=after)
        return entries

    def stream(self, start: int = 0) -> Iterator[Entry]:
        """Yield what `entries` returns, one by one, each verified and linked before it is yielded.

        Memory stays flat, and whoever stops early leaves no connection open: the table is read in pieces, each in a
        transaction of its own. The chain shows that they belong together; what others append meanwhile is not
        yielded. Raises as `entries`, at the entry where it shows.
        """
        after, rest = self._entries_from(start)
        yield from linked(rest, after=after)

    def inspect(self) -> Inspection:
        """Read everything and return every discrepancy of the entries; those of the tables are raised."""
        return Inspection.of(self.inspect_each())

    def inspect_each(self) -> Iterator[Entry | Finding]:
        """Yield each readable entry, and before it what is wrong there. Memory stays flat, as in `stream`."""
        inspector = Inspector()
        for position, (seq, prev, entry_hash, stored) in enumerate(self._rows(LOWEST_SEQ)):
            for found in inspector.judge(f"entry:{position}", partial(Entry.from_stored, stored, entry_hash.hex())):
                if isinstance(found, Entry):
                    if (found.seq, found.prev) != (seq, prev.hex()):
                        yield finding(f"entry:{found.seq}", "seq or prev beside the entry is not the entry's own")
                    if found.journal_id != self._journal_id:
                        yield finding(f"entry:{found.seq}", "journal id is not the one that it is stored under")
                yield found

    def find_request(self, request_id: str) -> tuple[Entry, ...]:
        """Return the entries of one request: after a lost acknowledgement, what was written after all."""
        return self._read(lambda cursor, _present: rows_of.of_request(cursor, self._journal_id, request_id))

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
            present = self.require_open(cursor)
            require_head(present.newest, expected_head)
            require_appendable(entries, present.newest, self._journal_id)
            rows_of.insert(cursor, entries)

    @contextmanager
    def writing(self, *, settle: Sequence[Entry] = ()) -> Iterator[Cursor]:
        """Yield a cursor in a transaction that holds the journal's lock, over checked tables; commit at the end.

        After a lost acknowledgement the entries to `settle` are looked for; without any it is an error.
        """
        with closing(connect(self.url, self._limits)) as connection:
            try:
                begin(connection, Role.WRITER, self._limits)
                cursor = connection.cursor(binary=True)
                check_schema(cursor)
                rows_of.lock(cursor, self._journal_id)
                yield cursor
            except psycopg.Error as error:
                raise _not_written() if is_cut(error) else error_for(error) from error
            except UnicodeDecodeError as error:
                raise not_utf8() from error
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
                    rows_of.lock(cursor, self._journal_id)
                    check_schema(cursor)
                    found = [
                        entry
                        for request_id in sorted({entry.request_id for entry in entries})
                        for entry in rows_of.of_request(cursor, self._journal_id, request_id, entries[0].seq)
                    ]
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

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """Yield a cursor in a transaction that sees one moment, over checked tables."""
        with closing(connect(self.url, self._limits)) as connection, translated():
            begin(connection, Role.READER, self._limits)
            cursor = connection.cursor(binary=True)
            check_schema(cursor)
            yield cursor

    def _read(self, question: Callable[[Cursor, Present], _Answer]) -> _Answer:
        with self.reading() as cursor:
            return question(cursor, self.require_open(cursor))

    def require_open(self, cursor: Cursor) -> Present:
        """Demand that the database holds this journal, and that it has not moved to another place."""
        present = rows_of.present(cursor, self._journal_id)
        if not present.is_there:
            raise altered(f"the database holds no journal `{self._journal_id}`", code=Code.JOURNAL_MISSING)
        if not present.is_open:
            raise Conflict(
                Code.JOURNAL_RELOCATED,
                "the journal was moved from this database to another place, or is on its way",
                advice="Ask the office that moved it; if that was this one, run the same `custody journal move` again.",
            )
        return present

    def _entries_from(self, start: int) -> tuple[Entry | None, Iterator[Entry]]:
        """Return the entry before `start` and those from there on, each verified by itself, not yet linked."""
        entries = (entry_of(row, self._journal_id) for row in self._rows(start - 1 if start > 0 else LOWEST_SEQ))
        first = next(entries, None)
        if first is None:
            return None, entries
        if start <= 0:
            return None, chain((first,), entries)
        if first.seq != start - 1:
            raise altered(f"entry:{start - 1} is missing before entry:{first.seq}")
        return first, entries

    def _rows(self, first: int) -> Iterator[Row]:
        """Yield the rows from `first` up to the newest of the first look, in pieces."""
        last = HIGHEST_SEQ

        def look(cursor: Cursor, present: Present) -> tuple[int, list[Row]]:
            return present.last_seq, rows_of.piece(cursor, self._journal_id, first, last)

        last, piece = self._read(look)
        while piece:
            yield from piece
            first = piece[-1][0] + 1
            if first > last:
                return
            piece = self._read(look)[1]
        if first <= last:
            raise altered("the database lost entries while it was read")


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
