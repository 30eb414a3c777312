"""The rows of one journal in PostgreSQL: asked for in pieces, each judged before it counts."""

from collections.abc import Sequence

import psycopg
from psycopg.rows import TupleRow

from custody.audit.journal import Entry, check_chain
from custody.audit.journal_fields import altered, is_id, malformed

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


def lock(cursor: Cursor, journal_id: str) -> None:
    """Wait until no other transaction writes to this journal; the lock goes with the transaction."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [journal_id])


def is_there(cursor: Cursor, journal_id: str) -> bool:
    """Whether the database holds a journal of this id, moved away or not."""
    return cursor.execute("SELECT 1 FROM custody.journal WHERE journal_id = %s", [journal_id]).fetchone() is not None


def handovers(cursor: Cursor, journal_id: str) -> list[str]:
    """Return the nonces of the moves from (1st, 3rd, …) and to (2nd, …) this database."""
    rows = cursor.execute("SELECT nonce FROM custody.handover WHERE journal_id = %s ORDER BY number", [journal_id])
    return [str(row[0]) for row in rows]


def last_seq(cursor: Cursor, journal_id: str) -> int:
    """Return the highest position in the journal, one below the lowest possible where it is empty."""
    row = cursor.execute("SELECT max(seq) FROM custody.entry WHERE journal_id = %s", [journal_id]).fetchone()
    return row[0] if row is not None and isinstance(row[0], int) else LOWEST_SEQ - 1


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


def newest(cursor: Cursor, journal_id: str) -> Entry | None:
    """Return the newest entry, its own hash verified."""
    last = last_seq(cursor, journal_id)
    rows = piece(cursor, journal_id, last, last) if last >= LOWEST_SEQ else []
    return entry_of(rows[0], journal_id) if rows else None


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
    cursor.executemany(
        "INSERT INTO custody.entry (journal_id, seq, prev, hash, entry) VALUES (%s, %b, %b, %b, %b)",
        [(one.journal_id, one.seq, bytes.fromhex(one.prev), bytes.fromhex(one.hash), one.canonical) for one in entries],
    )


def entry_of(row: Row, journal_id: str) -> Entry:
    """Return a row's entry, verified by itself and against what stands beside it."""
    seq, prev, entry_hash, stored = row
    entry = Entry.from_stored(stored, entry_hash.hex())
    if (entry.seq, entry.prev, entry.journal_id) != (seq, prev.hex(), journal_id):
        raise altered(f"entry:{seq}: journal id, seq or prev beside the entry is not the entry's own")
    return entry


def _checked(rows: Cursor) -> list[Row]:
    checked: list[Row] = []
    for seq, prev, entry_hash, stored in rows:
        if type(seq) is not int or any(type(value) is not bytes for value in (prev, entry_hash, stored)):
            raise altered("a row of the journal holds something else than an entry")
        checked.append((seq, prev, entry_hash, stored))
    return checked
