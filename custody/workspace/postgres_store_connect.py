"""One short connection to a journal's database: how it is made, bounded, and what its errors mean.

Each question and each append has a connection and a transaction of its own, in which everything
that decides is set by us: the role, the search path, durable commits, and every wait's limit. No
setting of the login or the database survives into it. Time limits are generous for an office far
away and short enough that nobody holds the journal's lock by being cut off.

The server's words are not passed on, since they may repeat what was sent: an error says its
SQLSTATE and what a person can do.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import psycopg
from psycopg.rows import TupleRow

from custody.audit.journal_fields import altered
from custody.codes import Code
from custody.errors import Conflict, CustodyError
from custody.workspace.journal_url import JournalUrl, is_this_machine

Connection = psycopg.Connection[TupleRow]

_OLDEST_SERVER = 130_000
_DURABLE = (
    "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
    "WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)"
)
"""A commit is answered when it is on disk, and at the standbys that the server was told to wait for."""

_CORRUPTED = ("XX001", "XX002")
_LOCKED = ("55P03", "40P01")
_READ_ONLY = ("25006",)
_DISK = ("53100", "58030", "58P01")
_ENDED = ("08", "57P", "25P03", "25P04")
"""The server ended the session, or the transaction took too long and it did."""


class Role(StrEnum):
    """The role that a transaction takes, whoever logged in."""

    READER = "custody_reader"
    WRITER = "custody_writer"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long anything may take."""

    connect_s: int = 10
    lock_ms: int = 10_000
    """Waiting for another office's append."""
    statement_ms: int = 120_000
    idle_ms: int = 20_000
    """A transaction whose program went silent is ended by the server, and its lock freed."""
    retries_ms: tuple[int, ...] = (0, 500, 1_000, 2_000, 4_000, 8_000)
    """Pauses before each try to find out what became of an entry whose acknowledgement was lost."""

    @property
    def settle_lock_ms(self) -> int:
        """Longer than a silent transaction lives, so that its fate is decided when the lock is ours."""
        return self.idle_ms + self.lock_ms


def connect(url: JournalUrl, limits: Limits) -> Connection:
    """Open a connection in which nothing is begun.

    Raises:
        Conflict: DATABASE_UNAVAILABLE.
    """
    try:
        connection = psycopg.connect(
            url.text,
            autocommit=True,
            prepare_threshold=None,  # behind a pooler the next transaction may be on another session
            connect_timeout=limits.connect_s,
            client_encoding="utf8",
            application_name="custody",
            keepalives=1,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=30_000,
        )
    except psycopg.Error as error:
        raise _unavailable(_why(error), error.sqlstate) from error
    try:
        _require_usable(connection, url)
    except CustodyError:
        connection.close()
        raise
    return connection


def begin(connection: Connection, role: Role, limits: Limits, *, lock_ms: int | None = None) -> None:
    """Begin a transaction of ours: a reader sees one moment, a writer sees each commit as it happens.

    A writer reads committed rows: its first statement waits for the journal's lock, and what it then
    reads must not be older than that. A snapshot taken before the wait, as stricter levels take it,
    would show a head that is gone. The lock makes writers of one journal serial.
    """
    mode = "REPEATABLE READ, READ ONLY" if role is Role.READER else "READ COMMITTED, READ WRITE"
    settings = {
        "search_path": "pg_catalog, pg_temp",
        "role": role,
        "lock_timeout": limits.lock_ms if lock_ms is None else lock_ms,
        "statement_timeout": limits.statement_ms,
        "idle_in_transaction_session_timeout": limits.idle_ms,
    }
    lines = [f"SET LOCAL {name} = {value}" for name, value in settings.items()]
    if role is Role.WRITER:
        lines.append(_DURABLE)
    connection.execute("; ".join([f"BEGIN ISOLATION LEVEL {mode}", *lines]).encode())


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into ours."""
    try:
        yield
    except psycopg.Error as error:
        raise error_for(error) from error
    except UnicodeDecodeError as error:
        raise not_utf8() from error


def not_utf8() -> CustodyError:
    """Return the error of names or functions in the database that can't be read as text."""
    return altered("the database holds text that is not UTF-8")


def is_cut(error: psycopg.Error) -> bool:
    """Whether the connection is gone, so that nothing but what was already answered is known."""
    state = error.sqlstate or ""
    if state:
        return state.startswith(_ENDED)
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def error_for(error: psycopg.Error) -> CustodyError:
    """Return our error for one of the server's."""
    state = error.sqlstate or ""
    if state in _LOCKED:
        return Conflict(
            Code.WORKSPACE_LOCKED,
            "another office is writing to the journal",
            advice="Wait until it has ended, look at what it did, then try again.",
        )
    if state in _READ_ONLY:
        return Conflict(
            Code.WORKSPACE_READ_ONLY,
            "the journal's database only lets itself be read: it is a standby, or set so",
            advice="Name the primary server in custody.yaml.",
        )
    if state in _DISK:
        return Conflict(
            Code.WRITE_FAILED,
            f"the journal's database has no room or a failing disk ({state}); nothing was written",
            advice="Let its administrator make room or mend the disk, then do it again.",
        )
    if state == "23505":
        return Conflict(
            Code.JOURNAL_MOVED,
            "somebody else wrote to the journal in the meantime",
            advice="Look at what is new with `custody journal show`, then do it again.",
        )
    if state in _CORRUPTED:
        return altered(f"the journal's database is damaged ({state})")
    if state.startswith("23") or state == "P0001":
        return altered(f"the database refused a row that follows its newest entry ({state})")
    return _unavailable(_why(error), state)


def _require_usable(connection: Connection, url: JournalUrl) -> None:
    if connection.info.server_version < _OLDEST_SERVER:
        raise _unavailable("the server is older than PostgreSQL 13", None)
    # A service or PGHOST may name a host that the URL doesn't.
    if not url.decides_tls and not is_this_machine(connection.info.host) and not connection.pgconn.ssl_in_use:
        raise _unavailable("the connection to another machine would be in plain text", None)


def _why(error: psycopg.Error) -> str:
    """Say what is wrong in words of our own, as far as the state or the server's text tells."""
    state = error.sqlstate or ""
    for prefix, words in _REASONS.items():
        if state.startswith(prefix):
            return words
    text = str(error)
    for piece, words in _SAYINGS.items():
        if piece in text:
            return words
    return "it can't be reached, or the connection broke"


_REASONS = {
    "28": "it refuses the login",
    "3D000": "it has no database of that name",
    "42501": "the login is no member of custody_writer or custody_reader",
    "22023": "it has no role custody_writer or custody_reader, or the login is no member",
    "53300": "it has no connection left",
    "57014": "it took too long to answer",
    "57P03": "it is starting or stopping",
}
"""By SQLSTATE or its beginning."""

_SAYINGS = {
    "root certificate file": "the certificates to trust are missing (sslrootcert)",
    "timeout expired": "it doesn't answer in time",
    "Connection refused": "nothing listens there",
    "could not translate host name": "its host name is unknown",
    "failed to resolve host": "its host name is unknown",
    "No such file or directory": "no server has its socket there",
    "password authentication failed": "it refuses the login",
    "no password supplied": "it asks for a password, and none is at hand (PGPASSFILE)",
    "no pg_hba.conf entry": "it doesn't let this login in from here",
    "certificate verify failed": "its certificate is not trusted",
    "does not match host name": "its certificate is for another host",
    "does not support SSL": "it doesn't speak TLS",
    "definition of service": "the service named in the URL is not defined",
    "too many clients": "it has no connection left",
    "starting up": "it is starting or stopping",
    "does not exist": "it has no such database or login",
}
"""By a piece of the English text, which has no SQLSTATE while connecting. The first counts."""


def _unavailable(why: str, state: str | None) -> Conflict:
    return Conflict(
        Code.DATABASE_UNAVAILABLE,
        f"the journal's database can't be used: {why}",
        advice="Mend the connection or the settings, then do it again; nothing was written.",
        details={"sqlstate": state} if state else {},
    )
