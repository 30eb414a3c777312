"""`custody.yaml`: this office's settings, which decide where to look and never what is true.

    format: custody-settings/1
    officer: ann
    chain:
      backend: core_rpc
      url: http://127.0.0.1:8332
      cookie_file: /home/bitcoin/.bitcoin/.cookie
    journal:
      url: postgresql://db.example:5432/reserve?sslmode=verify-full
      journal_id: 5f0c2f6d9b1e4a37a1d2c3b4e5f60718
    signer:
      python: /opt/hwi/bin/python

A secret never stands in it: only the path of the node's cookie, or of a file that nobody but
its owner may read. Unknown keys are refused, because a misspelt setting is a missing one.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from custody.atomic import read_file, read_private_file, replace_file
from custody.audit.journal_fields import is_id
from custody.codes import Code
from custody.documents.names import check_name
from custody.documents.strict_yaml import dump, load
from custody.errors import InvalidInput, JsonValue, SecretRefused
from custody.workspace.journal_url import JournalUrl
from custody.workspace.signer_settings import SignerSettings

SETTINGS_FORMAT = "custody-settings/1"

_MAX_BYTES = 64_000
_MAX_SECRET_BYTES = 1_000
_KEYS = frozenset({"format", "officer", "chain", "journal", "signer"})
_JOURNAL_KEYS = frozenset({"url", "journal_id"})


class BackendName(StrEnum):
    """Where the chain is to be had."""

    EMBEDDED = "embedded"
    CORE_RPC = "core_rpc"
    SNAPSHOT = "snapshot"


_CHAIN_KEYS = {
    BackendName.EMBEDDED: frozenset({"backend"}),
    BackendName.CORE_RPC: frozenset({"backend", "url", "cookie_file", "user", "password_file", "wallet"}),
    BackendName.SNAPSHOT: frozenset({"backend", "snapshot"}),
}


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """The view of the chain that this office uses. Paths are absolute or start at the workspace's folder."""

    backend: BackendName
    url: str | None = None
    """core_rpc: `http://host:port`."""
    cookie_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    wallet: str | None = None
    """core_rpc: name of the watch-only wallet, where it isn't the one made from the vault id."""
    snapshot: Path | None = None

    def __post_init__(self) -> None:
        if self.backend is BackendName.CORE_RPC:
            _check_url(self.url)
            with_password = self.user is not None and self.password_file is not None
            half_password = (self.user is None) != (self.password_file is None)
            if half_password or with_password == (self.cookie_file is not None):
                raise _malformed("chain needs either cookie_file, or user and password_file")
        if self.backend is BackendName.SNAPSHOT and self.snapshot is None:
            raise _malformed("chain needs snapshot, the path of a snapshot file")

    @classmethod
    def from_document(cls, document: JsonValue) -> "ChainSettings":
        """Read the `chain` part; keys that its backend has no use for are refused."""
        if not isinstance(document, dict):
            raise _malformed("chain is not a list of settings")
        name = _text(document, "backend")
        if name not in set(BackendName):
            raise _malformed("chain.backend is not embedded, core_rpc or snapshot")
        backend = BackendName(name)
        _refuse_unknown(document, _CHAIN_KEYS[backend], "chain.")
        return cls(
            backend=backend,
            url=_optional_text(document, "url"),
            cookie_file=_optional_path(document, "cookie_file"),
            user=_optional_text(document, "user"),
            password_file=_optional_path(document, "password_file"),
            wallet=_optional_text(document, "wallet"),
            snapshot=_optional_path(document, "snapshot"),
        )

    def to_document(self) -> dict[str, JsonValue]:
        """Return what is set, in the form of `custody.yaml`."""
        document: dict[str, JsonValue] = {"backend": str(self.backend)}
        for key, value in (
            ("url", self.url),
            ("cookie_file", self.cookie_file),
            ("user", self.user),
            ("password_file", self.password_file),
            ("wallet", self.wallet),
            ("snapshot", self.snapshot),
        ):
            if value is not None:
                document[key] = str(value)
        return document


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """The database that holds the journal, and which one there; without these it is the file `journal.db`."""

    url: JournalUrl
    journal_id: str

    def __post_init__(self) -> None:
        if not is_id(self.journal_id):
            raise _malformed("journal.journal_id is not a plain id")

    @classmethod
    def from_document(cls, document: JsonValue) -> "JournalSettings":
        """Read the `journal` part.

        Raises:
            SecretRefused: the URL holds a password.
            InvalidInput: UNKNOWN_FIELD, MALFORMED_DOCUMENT.
        """
        if not isinstance(document, dict):
            raise _malformed("journal is not a list of settings")
        _refuse_unknown(document, _JOURNAL_KEYS, "journal.")
        return cls(JournalUrl.parse(_text(document, "url")), _text(document, "journal_id"))

    def to_document(self) -> dict[str, JsonValue]:
        """Return the form of `custody.yaml`."""
        return {"url": self.url.text, "journal_id": self.journal_id}


@dataclass(frozen=True, slots=True)
class Settings:
    """What `custody.yaml` says."""

    officer: str | None = None
    """Who acts here when --as doesn't say: a claim, like --as."""
    chain: ChainSettings | None = None
    journal: JournalSettings | None = None
    signer: SignerSettings | None = None
    """What talks to hardware wallets; HWI in this Python where nothing is said."""

    @classmethod
    def from_document(cls, document: JsonValue) -> "Settings":
        """Read the whole document.

        Raises:
            InvalidInput: UNKNOWN_FORMAT, UNKNOWN_FIELD, MALFORMED_DOCUMENT, NAME_INVALID.
        """
        if not isinstance(document, dict):
            raise _malformed("it is not a list of settings")
        if document.get("format") != SETTINGS_FORMAT:
            raise InvalidInput(
                Code.UNKNOWN_FORMAT,
                f"custody.yaml: format is not `{SETTINGS_FORMAT}`",
                advice="Use the version of custody that wrote it, or write it anew.",
            )
        _refuse_unknown(document, _KEYS, "")
        officer = _optional_text(document, "officer")
        chain, journal, signer = document.get("chain"), document.get("journal"), document.get("signer")
        return cls(
            officer=None if officer is None else check_name(officer),
            chain=None if chain is None else ChainSettings.from_document(chain),
            journal=None if journal is None else JournalSettings.from_document(journal),
            signer=None if signer is None else SignerSettings.from_document(signer),
        )

    def to_document(self) -> dict[str, JsonValue]:
        """Return the document that reads back as these settings."""
        document: dict[str, JsonValue] = {"format": SETTINGS_FORMAT}
        if self.officer is not None:
            document["officer"] = self.officer
        if self.chain is not None:
            document["chain"] = self.chain.to_document()
        if self.journal is not None:
            document["journal"] = self.journal.to_document()
        if self.signer is not None:
            document["signer"] = self.signer.to_document()
        return document


def load_settings(path: Path) -> Settings:
    """Read `custody.yaml`; a missing file is settings in which nothing is set.

    Raises:
        InvalidInput: the file or anything in it is not what this version knows.
    """
    try:
        content = read_file(path, max_bytes=_MAX_BYTES)
    except InvalidInput as error:
        if error.code is Code.FILE_NOT_FOUND:
            return Settings()
        raise
    return Settings.from_document(load(content))


def save_settings(path: Path, settings: Settings) -> None:
    """Write `custody.yaml` whole, in the place of the old one."""
    replace_file(path, dump(settings.to_document()).encode("utf-8"))


def read_password(path: Path) -> str:
    """Read a password from its file, which nobody but its owner may read; a line feed at its end is dropped.

    Raises:
        InvalidInput: PATH_UNSAFE when others have rights to it, MALFORMED_DOCUMENT when it is not one line.
    """
    try:
        text = read_private_file(path, max_bytes=_MAX_SECRET_BYTES).decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable():
        # Outside the `except`: that error carries the file's bytes.
        raise InvalidInput(
            Code.MALFORMED_DOCUMENT,
            f"`{path}` is not one line of printable text",
            advice="Write the password and nothing else into it, and set its mode to 0600.",
        )
    return text


def _check_url(url: str | None) -> None:
    if url is None:
        raise _malformed("chain needs url, the node's address")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")  # a port that is none, a bracket that never closes
    if "@" in url:
        raise SecretRefused(
            Code.SECRET_MATERIAL,
            "custody.yaml: chain.url holds a login",
            advice="Take it out of the URL and name cookie_file, or user and password_file; change the password.",
        )
    if parts.scheme != "http" or not host or port is None or parts.path not in ("", "/") or parts.query:
        raise _malformed("chain.url is not of the form `http://host:port`")


def _refuse_unknown(document: dict[str, JsonValue], known: frozenset[str], where: str) -> None:
    unknown = document.keys() - known
    if unknown:
        names = ", ".join(where + key for key in sorted(known))
        raise InvalidInput(
            Code.UNKNOWN_FIELD,
            f"custody.yaml: {len(unknown)} unknown setting(s), known here are {names}",
            advice="Correct the spelling; passwords stand in a file of mode 0600 that password_file names.",
        )


def _text(document: dict[str, JsonValue], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise _malformed(f"{key} is not a line of text")
    return value


def _optional_text(document: dict[str, JsonValue], key: str) -> str | None:
    return _text(document, key) if key in document else None


def _optional_path(document: dict[str, JsonValue], key: str) -> Path | None:
    text = _optional_text(document, key)
    return None if text is None else Path(text)


def _malformed(problem: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT,
        f"custody.yaml: {problem}",
        advice="Correct the setting, or run `custody vault create` in an empty folder to see a valid file.",
    )
