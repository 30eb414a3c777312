"""Databases of journals on the test server, and the hands of those who own them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from custody.workspace.journal_url import JournalUrl
from custody.workspace.postgres_store import PostgresJournal
from custody.workspace.postgres_store_connect import Limits
from custody.workspace.postgres_store_schema import SCHEMA_SQL
from support.journals import JOURNAL_ID, make_chain
from support.postgres import PASSWORD, Server

QUICK = Limits(retries_ms=(0, 50, 100))
"""Gives up soon where nobody answers, and is as patient as ever with a busy machine."""

IMPATIENT = Limits(lock_ms=500, idle_ms=700, retries_ms=(0, 50, 100))
"""So short that a test may wait for it."""


@dataclass(frozen=True)
class Database:
    """A database with our tables, and a login of one office that may write."""

    server: Server
    name: str
    login: str

    @property
    def url(self) -> JournalUrl:
        """The office's URL, by the server's socket."""
        return JournalUrl.parse(self.server.url(self.name, self.login))

    def url_of(self, login: str) -> JournalUrl:
        """Return the URL of another login."""
        return JournalUrl.parse(self.server.url(self.name, login))

    def loopback_url(self, *, port: int | None = None) -> JournalUrl:
        """Return the office's URL by TCP, which needs a password file."""
        return JournalUrl.parse(self.server.loopback_url(self.name, self.login, port=port))

    def journal(self, length: int, *, limits: Limits = QUICK) -> PostgresJournal:
        """Return a new journal of so many entries."""
        journal = PostgresJournal.create(self.url, JOURNAL_ID, limits=limits)
        if length:
            journal.append(make_chain(length), expected_head=None)
        return journal

    def as_owner(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as somebody who owns the database (a superuser)."""
        return self.server.execute(*statements, database=self.name)

    def rewrite(self, *statements: str) -> None:
        """Change rows behind the program's back: lift the triggers and checks, change, put them back as they were."""
        check = "ALTER TABLE custody.entry {} CONSTRAINT entry_hash{}"
        with psycopg.connect(self.server.url(self.name), autocommit=True) as connection:
            for table in ("journal", "entry", "handover"):
                connection.execute(f"ALTER TABLE custody.{table} DISABLE TRIGGER ALL".encode())
            connection.execute(check.format("DROP", "").encode())
            for statement in statements:
                connection.execute(statement.encode())
            # NOT VALID leaves a trace that the check of the catalogue finds; a careful owner hides it like this.
            connection.execute(check.format("ADD", " CHECK (hash = sha256(entry)) NOT VALID").encode())
            connection.execute(
                b"UPDATE pg_constraint SET convalidated = true WHERE conrelid = 'custody.entry'::regclass"
            )
            for table in ("journal", "entry", "handover"):
                connection.execute(f"ALTER TABLE custody.{table} ENABLE TRIGGER ALL".encode())
                for trigger in ("follows", "unchanged", "stays"):
                    if (table, trigger) != ("journal", "follows"):
                        name = f"{table}_{trigger}"
                        connection.execute(f"ALTER TABLE custody.{table} ENABLE ALWAYS TRIGGER {name}".encode())


@pytest.fixture(scope="session")
def _database_name(postgres: Server) -> str:
    return postgres.new_database()


@pytest.fixture
def database(postgres: Server, _database_name: str) -> Database:
    """A database with our tables and nothing else in it: one of the session's, emptied, since new ones are slow."""
    postgres.execute(
        f"ALTER DATABASE {_database_name} RESET ALL",
        "DROP SCHEMA IF EXISTS custody, public CASCADE",
        "CREATE SCHEMA public",
        "SELECT pg_stat_reset()",
        SCHEMA_SQL,
        database=_database_name,
    )
    return Database(postgres, _database_name, postgres.new_login("custody_writer"))


@pytest.fixture
def password_file(tmp_path: Path) -> Iterator[Path]:
    """Name a password file for every login on loopback, as an office's machine has one."""
    path = tmp_path / "pgpass"
    path.write_text(f"127.0.0.1:*:*:*:{PASSWORD}\n")
    path.chmod(0o600)
    before = os.environ.get("PGPASSFILE")
    os.environ["PGPASSFILE"] = str(path)
    yield path
    if before is None:
        del os.environ["PGPASSFILE"]
    else:
        os.environ["PGPASSFILE"] = before
