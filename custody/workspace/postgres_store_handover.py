"""A journal's move into a database and out of it: the database's half.

A journal that is not open at the database is there as a copy: it can be looked at by a mover and by
nobody else, and takes no entry. Each move has a nonce, so that a mover that was killed finds its own
traces and never mistakes another office's for them. Rows of `custody.handover` say it all; like
everything there, they are only added.
"""

from collections.abc import Sequence
from contextlib import closing
from enum import Enum

import psycopg

from custody.audit.journal import Entry
from custody.audit.journal_fields import altered
from custody.codes import Code
from custody.errors import Conflict
from custody.workspace import postgres_store_rows as rows_of
from custody.workspace.appending import require_appendable, require_head
from custody.workspace.journal_url import JournalUrl
from custody.workspace.postgres_store import PostgresJournal
from custody.workspace.postgres_store_connect import Limits, connect, translated
from custody.workspace.postgres_store_rows import Cursor, Present
from custody.workspace.postgres_store_schema import SCHEMA_SQL


class Standing(Enum):
    """What a journal is at a database."""

    ABSENT = "not there"
    OPEN = "kept there"
    CLOSED_BY_US = "closed by this move"
    CLOSED = "closed by another move"


class TransitJournal(PostgresJournal):
    """A journal that a move may read while it is closed."""

    def require_open(self, cursor: Cursor) -> Present:
        """Demand only that the database has it."""
        present = rows_of.present(cursor, self._journal_id)
        if not present.is_there:
            raise altered(f"the database holds no journal `{self._journal_id}`", code=Code.JOURNAL_MISSING)
        return present

    def standing(self, nonce: str) -> Standing:
        """Return what the journal is there, as the move `nonce` sees it."""
        with self.reading() as cursor:
            present = rows_of.present(cursor, self._journal_id)
        if not present.is_there:
            return Standing.ABSENT
        if present.is_open:
            return Standing.OPEN
        return Standing.CLOSED_BY_US if present.handovers[-1] == nonce else Standing.CLOSED

    def receive(self, entries: Sequence[Entry], nonce: str) -> None:
        """Put the whole journal there, closed, in one transaction; safe to repeat.

        What is there already from an earlier stay must be the beginning of it.

        Raises:
            Conflict: JOURNAL_RELOCATED, the journal is kept there already.
            Altered: JOURNAL_FORK, what is there is not the beginning of `entries`.
        """
        with self.writing() as cursor:
            present = rows_of.present(cursor, self._journal_id)
            if not present.is_there:
                cursor.execute("INSERT INTO custody.journal VALUES (%s)", [self._journal_id])
            there = rows_of.everything(cursor, self._journal_id)
            if there and present.is_open:
                raise Conflict(
                    Code.JOURNAL_RELOCATED,
                    "the database keeps this journal already, open to other offices",
                    advice="Compare both with `custody journal verify` before you decide which one counts.",
                )
            if tuple(entries[: len(there)]) != there:
                raise altered("the journal at the database is not the beginning of this one", code=Code.JOURNAL_FORK)
            tail = entries[len(there) :]
            require_appendable(tail, there[-1] if there else None, self._journal_id)
            if not present.is_open:
                if not tail and present.handovers[-1] == nonce:
                    return
                self._hand_over(cursor, nonce)
            rows_of.insert(cursor, tail)
            self._hand_over(cursor, nonce)

    def close(self, nonce: str, *, expected_head: str) -> None:
        """Close the journal there, if its head still is `expected_head`.

        Raises:
            Conflict: JOURNAL_MOVED, JOURNAL_RELOCATED (another move closed it).
        """
        with self.writing() as cursor:
            present = super().require_open(cursor)
            require_head(present.newest, expected_head)
            self._hand_over(cursor, nonce)

    def reopen(self, nonce: str) -> None:
        """Open the journal that the move `nonce` closed; safe to repeat.

        Raises:
            Conflict: JOURNAL_RELOCATED, another move closed it.
        """
        with self.writing() as cursor:
            present = rows_of.present(cursor, self._journal_id)
            if present.handovers[-1:] != (nonce,):
                raise Conflict(
                    Code.JOURNAL_RELOCATED,
                    "the database's journal was not closed by this move",
                    advice="Ask the other offices which of them moves it, and where it is.",
                )
            if not present.is_open:
                self._hand_over(cursor, nonce)

    def _hand_over(self, cursor: Cursor, nonce: str) -> None:
        newest = rows_of.present(cursor, self._journal_id).newest
        head = bytes(32) if newest is None else bytes.fromhex(newest.hash)
        cursor.execute(
            "INSERT INTO custody.handover (journal_id, number, nonce, head) "
            "SELECT %s, count(*) + 1, %s, %b FROM custody.handover WHERE journal_id = %s",
            [self._journal_id, nonce, head, self._journal_id],
        )


def install_schema(url: JournalUrl, *, limits: Limits | None = None) -> bool:
    """Make our roles and tables where the database has none and the login may; return whether they were made.

    Raises:
        Conflict: DATABASE_UNAVAILABLE.
    """
    with closing(connect(url, limits or Limits())) as connection, translated():
        if connection.execute("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'custody'").fetchone():
            return False
        try:
            connection.execute(SCHEMA_SQL.encode())
        except psycopg.errors.InsufficientPrivilege as error:
            raise Conflict(
                Code.DATABASE_UNAVAILABLE,
                "the database has no tables for journals, and this login may not make them",
                advice="Give its administrator the output of `custody journal schema`, to be run once with psql.",
            ) from error
    return True
