"""The URL of a journal in PostgreSQL: `postgresql://[user@]host[:port]/database?sslmode=…`.

It says where, never who may: a password in it is refused, because the URL stands in `custody.yaml`
and on command lines. Passwords come from where PostgreSQL's own programs take them: a password
file (PGPASSFILE), a service (PGSERVICEFILE), a client certificate, or none by `peer`. A host that
is not this machine needs a word about TLS, since PostgreSQL's own default falls back to plain text.

Parsed strictly and by hand, so that nothing here pays for the database library, which parses it
again when it connects. Several hosts are refused: after a failover two of them could answer.

Source: https://www.postgresql.org/docs/current/libpq-connect.html, connection URIs.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qsl, unquote, urlsplit

from custody.codes import Code
from custody.errors import InvalidInput, SecretRefused

SQLITE = "sqlite:"
"""Names the file in the workspace, where a URL is asked for."""

_FORM = "is not of the form `postgresql://host:port/database?sslmode=verify-full`"
_SCHEMES = ("postgresql", "postgres")
_ALLOWED = re.compile(r"[A-Za-z0-9_.~%:/?&=@\[\]-]{1,2000}")
_SECRETS = frozenset({"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})
_PARAMETERS = frozenset({
    "host", "port", "user", "dbname", "service", "passfile", "channel_binding", "require_auth",
    "requirepeer", "gssencmode", "krbsrvname", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir",
    "sslnegotiation", "ssl_min_protocol_version",
})  # fmt: skip
_DECIDED_TLS = frozenset({"disable", "require", "verify-ca", "verify-full"})
"""`allow` and `prefer` decide nothing: who sits between can have plain text."""


@dataclass(frozen=True, slots=True)
class JournalUrl:
    """A checked URL of a journal in PostgreSQL; it holds no secret."""

    text: str
    host: str
    """Empty where a service or PostgreSQL's default names it."""
    decides_tls: bool

    @classmethod
    def parse(cls, text: str) -> "JournalUrl":
        """Read a URL, strictly. No message repeats it.

        Raises:
            SecretRefused: a password stands in it.
            InvalidInput: MALFORMED_DOCUMENT.
        """
        _refuse_password(text)
        try:
            parts = urlsplit(text)
            port = parts.port  # raises for a port that is none
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError as error:
            raise _malformed(_FORM) from error
        parameters = dict(pairs)
        if parts.scheme not in _SCHEMES or parts.fragment or not _ALLOWED.fullmatch(text) or port == 0:
            raise _malformed(_FORM)
        if parameters.keys() - _PARAMETERS or len(parameters) != len(pairs):
            raise _malformed(f"has an unknown or repeated parameter; known are {', '.join(sorted(_PARAMETERS))}")
        if not (parts.path.strip("/") or parameters.get("dbname") or parameters.get("service")):
            raise _malformed("names no database")
        host = parameters.get("host") or unquote(parts.hostname or "")
        if "," in host:
            raise _malformed("names several hosts")
        decides_tls = parameters.get("sslmode") in _DECIDED_TLS
        if not decides_tls and not is_this_machine(host):
            raise _malformed("says nothing about TLS: add `sslmode=verify-full`, or another mode that can't fall back")
        return cls(text, host, decides_tls)


def is_this_machine(host: str) -> bool:
    """Whether a connection to `host` stays on this machine: a socket, a loopback address, or none named."""
    if not host or host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _refuse_password(text: str) -> None:
    """Refuse a password wherever a parser could find one, before anything else is said about the text."""
    before_at, at, _ = text.rpartition("@")
    login = at != "" and ":" in before_at.rpartition("://")[2]
    if not login and not any(f"{name}=" in text.lower() for name in _SECRETS):
        return
    raise SecretRefused(
        Code.SECRET_MATERIAL,
        "the journal's URL holds a password",
        advice="Take it out and put it into a password file of mode 0600 (PGPASSFILE); change the password.",
    )


def _malformed(problem: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT,
        f"the journal's URL {problem}",
        advice="Correct it; docs/several-offices.md shows how such a URL looks.",
    )
