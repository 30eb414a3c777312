"""The rows of one journal in PostgreSQL: asked for in pieces, each judged before it counts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from custody.audit.journal import Entry, check_chain
from custody.audit.journal_fields import altered, is_id, malformed
from custody.codes import Code
from custody.errors import Conflict

Cursor = psycopg.Cursor[TupleRow]
Row = tuple[int, bytes, bytes, bytes]
"""seq, prev, hash, canonical bytes without hash, as they stand in the table."""

LOWEST_SEQ, HIGHEST_SEQ = -(2**63), 2**63 - 1
"""What a position in a table can be: a row that nobody of us wrote is seen wherever it stands."""

_PIECE_BYTES = 4_000_000
_PIECE_ROWS = 10_000
"""A long journal is read in pieces of about this size, or of one entry."""

_PIECE = """
SELECT seq, prev, hash, entry FROM (
    SELECT *, sum(octet_length(entry)) OVER (ORDER BY seq) - octet_length(entry) AS bytes_before
    FROM (SELECT * FROM custody.entry WHERE journal_id = %s AND seq BETWEEN %b AND %b ORDER BY seq LIMIT %b) AS rows
) AS sized WHERE bytes_before < %b ORDER BY seq
"""


_LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended(%s, 0)),
    current_setting('fsync') = 'on' AND current_setting('synchronous_commit') IN ('on', 'remote_apply')
"""
_PRESENT = """
SELECT EXISTS (SELECT FROM custody.journal WHERE journal_id = %s),
    ARRAY(SELECT nonce FROM custody.handover WHERE journal_id = %s ORDER BY number),
    newest.seq, newest.prev, newest.hash, newest.entry
FROM (SELECT) AS always LEFT JOIN LATERAL (
    SELECT seq, prev, hash, entry FROM custody.entry WHERE journal_id = %s ORDER BY seq DESC LIMIT 1
) AS newest ON true
"""


@dataclass(frozen=True, slots=True)
class Present:
    """A journal at one moment, as its database has it."""

    journal_id: str
    is_there: bool
    """Moved away or not."""
    handovers: tuple[str, ...]
    """Nonces of the moves from (1st, 3rd, …) and to (2nd, …) this database."""
    newest_row: Row | None

    @property
    def is_open(self) -> bool:
        """Whether the journal is kept here, and not moved to another place."""
        return len(self.handovers) % 2 == 0

    @property
    def last_seq(self) -> int:
        """Highest position in the table, one below the lowest possible where it is empty."""
        return LOWEST_SEQ - 1 if self.newest_row is None else self.newest_row[0]

    @property
    def newest(self) -> Entry | None:
        """The newest entry, verified by itself."""
        return None if self.newest_row is None else entry_of(self.newest_row, self.journal_id)


def lock(cursor: Cursor, journal_id: str) -> None:
    """Wait until no other transaction writes to this journal; the lock goes with the transaction.

    Raises:
        Conflict: DATABASE_NOT_DURABLE, a commit would be answered before it is on disk.
    """
    row = cursor.execute(_LOCK, [journal_id]).fetchone()
    if row is None or row[1] is not True:
        raise Conflict(
            Code.DATABASE_NOT_DURABLE,
            "the journal's database doesn't write to disk before it answers (fsync is off)",
            advice="Let its administrator set fsync on; nothing was written.",
        )


def present(cursor: Cursor, journal_id: str) -> Present:
    """Return what the database says of the journal now."""
    row = cursor.execute(_PRESENT, [journal_id] * 3).fetchone()
    if row is None:
        raise altered("the database does not answer a question that always has an answer")
    is_there, nonces, *newest = row
    newest_row = None if newest[0] is None else _checked([tuple(newest)])[0]
    return Present(journal_id, is_there is True, tuple(str(nonce) for nonce in nonces), newest_row)


def piece(cursor: Cursor, journal_id: str, first: int, last: int) -> list[Row]:
    """Return rows from `first` to `last` in their order, as many as make a piece; at least one if there is any."""
    return _checked(cursor.execute(_PIECE, [journal_id, first, last, _PIECE_ROWS, _PIECE_BYTES]))


def everything(cursor: Cursor, journal_id: str) -> tuple[Entry, ...]:
    """Return the whole journal, verified and linked, inside one transaction."""
    entries: list[Entry] = []
    first = LOWEST_SEQ
    while rows := piece(cursor, journal_id, first, HIGHEST_SEQ):
        entries += (entry_of(row, journal_id) for row in rows)
        first = rows[-1][0] + 1
    check_chain(entries)
    return tuple(entries)


def of_request(cursor: Cursor, journal_id: str, request_id: str, start: int = LOWEST_SEQ) -> tuple[Entry, ...]:
    """Return the entries of one request from `start` on."""
    if not is_id(request_id):
        raise malformed("request id is not a plain id")
    # A plain id needs no JSON escapes, so the bytes are found wherever they stand; the parsed field decides.
    needle = f'"request_id":"{request_id}"'.encode("ascii")
    query = (
        "SELECT seq, prev, hash, entry FROM custody.entry "
        "WHERE journal_id = %s AND seq >= %b AND position(%b in entry) > 0 ORDER BY seq"
    )
    found = (entry_of(row, journal_id) for row in _checked(cursor.execute(query, [journal_id, start, needle])))
    return tuple(entry for entry in found if entry.request_id == request_id)


def insert(cursor: Cursor, entries: Sequence[Entry]) -> None:
    """Insert entries as they are; the tables demand that they follow."""
    statement = b"INSERT INTO custody.entry (journal_id, seq, prev, hash, entry) VALUES (%s, %b, %b, %b, %b)"
    rows = [
        (one.journal_id, one.seq, bytes.fromhex(one.prev), bytes.fromhex(one.hash), one.canonical) for one in entries
    ]
    if len(rows) == 1:
        cursor.execute(statement, rows[0])
    elif rows:
        cursor.executemany(statement, rows)


def entry_of(row: Row, journal_id: str) -> Entry:
    """Return a row's entry, verified by itself and against what stands beside it."""
    seq, prev, entry_hash, stored = row
    entry = Entry.from_stored(stored, entry_hash.hex())
    if (entry.seq, entry.prev, entry.journal_id) != (seq, prev.hex(), journal_id):
        raise altered(f"entry:{seq}: journal id, seq or prev beside the entry is not the entry's own")
    return entry


def _checked(rows: Iterable[TupleRow]) -> list[Row]:
    checked: list[Row] = []
    for seq, prev, entry_hash, stored in rows:
        if type(seq) is not int or any(type(value) is not bytes for value in (prev, entry_hash, stored)):
            raise altered("a row of the journal holds something else than an entry")
        checked.append((seq, prev, entry_hash, stored))
    return checked
