"""What a journal file is, to the byte where it matters: header, tables, triggers.

A file is judged by its first 100 bytes before SQLite opens it, because opening is not harmless:
a header that says WAL, or a `-wal` file beside it, makes SQLite write side files and read pages
that nobody signed for. The tables and triggers must then be exactly these.

Source: https://www.sqlite.org/fileformat2.html section 1.3.
"""

import sqlite3
from contextlib import closing

from custody.audit.journal import GENESIS_PREV
from custody.audit.journal_fields import altered
from custody.codes import Code
from custody.errors import UpgradeNeeded

APPLICATION_ID = 0x43757374
"""`Cust`: marks our files among all SQLite files."""

SCHEMA_VERSION = 1
"""SQLite's `user_version`; raised whenever an older program must not touch the file."""

HEADER_LENGTH = 100

_MAGIC = b"SQLite format 3\0"
_ROLLBACK_JOURNAL = b"\x01\x01"

_SCHEMA = (
    ("table", "entry", "entry", "CREATE TABLE entry (seq INTEGER PRIMARY KEY, prev TEXT NOT NULL UNIQUE, "
     "hash TEXT NOT NULL UNIQUE, entry BLOB NOT NULL) STRICT"),
    ("table", "journal", "journal", "CREATE TABLE journal (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), "
     "journal_id TEXT NOT NULL) STRICT"),
    ("trigger", "entry_follows", "entry", "CREATE TRIGGER entry_follows BEFORE INSERT ON entry "  # noqa: S608 (ours)
     "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), -1) + 1 FROM entry) OR NEW.prev IS NOT "
     f"coalesce((SELECT hash FROM entry ORDER BY seq DESC LIMIT 1), '{GENESIS_PREV}') "
     "BEGIN SELECT RAISE(ABORT, 'an entry follows the newest one'); END"),
    ("trigger", "entry_stays", "entry", "CREATE TRIGGER entry_stays BEFORE DELETE ON entry "
     "BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END"),
    ("trigger", "entry_unchanged", "entry", "CREATE TRIGGER entry_unchanged BEFORE UPDATE ON entry "
     "BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END"),
    ("trigger", "journal_once", "journal", "CREATE TRIGGER journal_once BEFORE INSERT ON journal "
     "WHEN EXISTS (SELECT 1 FROM journal) BEGIN SELECT RAISE(ABORT, 'a file holds one journal'); END"),
    ("trigger", "journal_stays", "journal", "CREATE TRIGGER journal_stays BEFORE DELETE ON journal "
     "BEGIN SELECT RAISE(ABORT, 'the journal id is never deleted'); END"),
    ("trigger", "journal_unchanged", "journal", "CREATE TRIGGER journal_unchanged BEFORE UPDATE ON journal "
     "BEGIN SELECT RAISE(ABORT, 'the journal id is never changed'); END"),
)  # fmt: skip


def new_database(journal_id: str) -> bytes:
    """Return the bytes of a valid, empty journal, built in memory so that it is written in one step."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        for _kind, _name, _table, statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("INSERT INTO journal VALUES (1, ?)", (journal_id,))
        return connection.serialize()


def check_header(header: bytes) -> None:
    """Demand the first 100 bytes of a journal of ours, before SQLite sees the file.

    Raises:
        Altered: not a database, not ours, or switched to another journal mode.
        UpgradeNeeded: ours, but written by a newer version.
    """
    if len(header) < HEADER_LENGTH or not header.startswith(_MAGIC):
        raise altered("the journal is not a database, or only a piece of one")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise altered("the database is not a journal of this program")
    version = int.from_bytes(header[60:64], "big")
    if version > SCHEMA_VERSION:
        raise UpgradeNeeded(
            Code.UPGRADE_NEEDED,
            f"the journal has layout {version}, this version knows {SCHEMA_VERSION}",
            advice="Use the version of custody that wrote it, or a newer one.",
        )
    if version != SCHEMA_VERSION:
        raise altered(f"the journal has layout {version}, which never existed")
    if header[18:20] != _ROLLBACK_JOURNAL:
        raise altered("the journal was switched to another journal mode")


def check_schema(connection: sqlite3.Connection) -> None:
    """Demand exactly our tables and triggers: a dropped trigger or an added view is an alteration."""
    found = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name"
    ).fetchall()
    if tuple(found) != _SCHEMA:
        raise altered("the tables or triggers of the journal are not those that it was made with")
