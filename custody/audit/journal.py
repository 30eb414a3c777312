"""One entry of the journal: its exact bytes, its hash, and its export line.

An entry is an RFC 8785 document with the keys `format journal_id seq time tip actor kind
body request_id prev hash`. `hash` is the SHA-256 of the canonical bytes without `hash`, and
`prev` is the hash of the entry before it, so that the newest hash commits to all of history.

What must hold between entries (order, links, an expected head) is `journal_chain.py`. Nothing
here knows what a kind means: that is the fold's business. Nothing here shows that a whole
journal was not rewritten; only a head hash kept elsewhere does that.
"""

import hashlib
import re
from dataclasses import dataclass, field

from custody.codes import Code
from custody.documents.canonical_json import canonical, parse_json
from custody.errors import Altered, CustodyError, InvalidInput, JsonValue

ENTRY_FORMAT = "custody-journal/1"

GENESIS_PREV = "0" * 64
"""`prev` of the first entry."""

ALTERED_ADVICE = "Stop, leave the files as they are, and call the auditor."

_KEYS = frozenset({"format", "journal_id", "seq", "time", "tip", "actor", "kind", "body", "request_id", "prev"})
_TIP_KEYS = frozenset({"height", "hash", "median_time_past"})
_MAX_INTEGER = 2**53 - 1
_MAX_ACTOR_LENGTH = 200
_HASH = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TIME = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)Z")


@dataclass(frozen=True, slots=True)
class EntryTip:
    """The chain's newest block as last seen when an entry was written."""

    height: int
    block_hash: str
    """As displayed (big-endian hex); the key is `hash` in the document."""
    median_time_past: int
    """Unix seconds (BIP 113)."""

    def __post_init__(self) -> None:
        _demand(_is_count(self.height), "tip height is not a block height")
        _demand(is_hash(self.block_hash), "tip hash is not 64 lower-case hex characters")
        _demand(_is_count(self.median_time_past), "median time past is not Unix seconds")

    def to_document(self) -> dict[str, JsonValue]:
        """Return the tip as it stands in an entry."""
        return {"height": self.height, "hash": self.block_hash, "median_time_past": self.median_time_past}

    @classmethod
    def from_document(cls, document: JsonValue) -> "EntryTip":
        """Read the tip of an entry; the keys must be exactly height, hash and median_time_past."""
        if not isinstance(document, dict) or document.keys() != _TIP_KEYS:
            raise _malformed("tip is neither null nor height, hash and median_time_past")
        return cls(
            height=_integer(document["height"], "tip height"),
            block_hash=_text(document["hash"], "tip hash"),
            median_time_past=_integer(document["median_time_past"], "median time past"),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the journal. Build it with `make`, or read it with `from_stored`."""

    journal_id: str
    seq: int
    """Position, from 0 without gaps."""
    time: str
    """The writer's clock, RFC 3339 UTC to the second. For people: no verdict rests on it."""
    tip: EntryTip | None
    actor: str | None
    """Who says that they acted; a claim without a signature."""
    kind: str
    body: dict[str, JsonValue]
    """Never edit it in place: the hash is that of `canonical`."""
    request_id: str
    """One per command run, so that a writer finds out whether a lost acknowledgement was a success."""
    prev: str
    hash: str
    canonical: bytes = field(repr=False)
    """The RFC 8785 bytes without `hash`: what is stored, and what `hash` covers."""

    def __post_init__(self) -> None:
        _demand(_ID.fullmatch(self.journal_id) is not None, f"journal id `{self.journal_id[:128]}` is not a plain id")
        _demand(_is_count(self.seq), f"seq is `{self.seq}`, expected 0 or more")
        _demand(_TIME.fullmatch(self.time) is not None, "time is not `YYYY-MM-DDTHH:MM:SSZ`")
        _demand(self.actor is None or _is_actor(self.actor), "actor is not a printable name")
        _demand(_KIND.fullmatch(self.kind) is not None, "kind is not a lower-case word")
        _demand(_ID.fullmatch(self.request_id) is not None, "request id is not a plain id")
        _demand(is_hash(self.prev), "prev is not 64 lower-case hex characters")
        _demand(hash_of(self.canonical) == self.hash, f"hash of entry {self.seq} does not cover its bytes")

    @classmethod
    def make(
        cls,
        *,
        journal_id: str,
        seq: int,
        time: str,
        tip: EntryTip | None,
        actor: str | None,
        kind: str,
        body: dict[str, JsonValue],
        request_id: str,
        prev: str,
    ) -> "Entry":
        """Build a new entry and compute its hash.

        Raises:
            InvalidInput: a field is malformed, or the body holds what RFC 8785 with integers can't say.
        """
        document: dict[str, JsonValue] = {
            "format": ENTRY_FORMAT,
            "journal_id": journal_id,
            "seq": seq,
            "time": time,
            "tip": tip.to_document() if tip is not None else None,
            "actor": actor,
            "kind": kind,
            "body": body,
            "request_id": request_id,
            "prev": prev,
        }
        return cls._from_document(document, canonical(document))

    @classmethod
    def from_stored(cls, stored: bytes, entry_hash: str) -> "Entry":
        """Read an entry from its stored bytes and the hash beside them, strictly.

        Raises:
            Altered: the bytes are not canonical, not an entry, or not what `entry_hash` covers.
        """
        if hash_of(stored) != entry_hash:
            raise altered("the bytes of an entry are not what its hash covers")
        return cls._from_untrusted(stored, None)

    @classmethod
    def from_export_line(cls, line: bytes) -> "Entry":
        """Read one line of an export (with its line feed), which must be right to the byte.

        Raises:
            Altered: anything else than `export_line` would write.
        """
        return cls._from_untrusted(line, line)

    def canonical_without_hash(self) -> bytes:
        """Return the bytes that are stored and that `hash` covers."""
        return self.canonical

    def export_line(self) -> bytes:
        """Return the canonical entry with its hash, and a line feed."""
        return canonical({**self._to_document(), "hash": self.hash}) + b"\n"

    def _to_document(self) -> dict[str, JsonValue]:
        return {
            "format": ENTRY_FORMAT,
            "journal_id": self.journal_id,
            "seq": self.seq,
            "time": self.time,
            "tip": self.tip.to_document() if self.tip is not None else None,
            "actor": self.actor,
            "kind": self.kind,
            "body": self.body,
            "request_id": self.request_id,
            "prev": self.prev,
        }

    @classmethod
    def _from_untrusted(cls, data: bytes, export_line: bytes | None) -> "Entry":
        """Read an entry whose every failure is an alteration; with `export_line` the hash stands inside."""
        try:
            document = parse_json(data if export_line is None else data.removesuffix(b"\n"))
            _demand(isinstance(document, dict), "an entry is not a JSON object")
            fields = dict(document) if isinstance(document, dict) else {}
            entry_hash = None if export_line is None else _text(fields.pop("hash", None), "hash")
            stored = canonical(fields)
            entry = cls._from_document(fields, stored)
            _demand(entry_hash in (None, entry.hash), f"hash of entry {entry.seq} does not cover its bytes")
            expected = stored if export_line is None else entry.export_line()
        except CustodyError as error:
            raise altered(error.message) from error
        if expected != data:
            raise altered(f"entry {entry.seq} is not in its canonical form")
        return entry

    @classmethod
    def _from_document(cls, document: dict[str, JsonValue], stored: bytes) -> "Entry":
        if document.keys() != _KEYS:
            raise _malformed("the keys are not those of a journal entry")
        if document["format"] != ENTRY_FORMAT:
            raise _malformed(f"format is not `{ENTRY_FORMAT}`")
        body = document["body"]
        if not isinstance(body, dict):
            raise _malformed("body is not an object")
        tip, actor = document["tip"], document["actor"]
        return cls(
            journal_id=_text(document["journal_id"], "journal id"),
            seq=_integer(document["seq"], "seq"),
            time=_text(document["time"], "time"),
            tip=None if tip is None else EntryTip.from_document(tip),
            actor=None if actor is None else _text(actor, "actor"),
            kind=_text(document["kind"], "kind"),
            body=body,
            request_id=_text(document["request_id"], "request id"),
            prev=_text(document["prev"], "prev"),
            hash=hash_of(stored),
            canonical=stored,
        )


def hash_of(stored: bytes) -> str:
    """Return the lower-case hex SHA-256 of an entry's stored bytes."""
    return hashlib.sha256(stored).hexdigest()


def is_hash(text: str) -> bool:
    """Tell whether `text` is 64 lower-case hex characters."""
    return _HASH.fullmatch(text) is not None


def altered(message: str, *, code: Code = Code.JOURNAL_ALTERED, **details: JsonValue) -> Altered:
    """Return the error of a journal that is not what was written."""
    return Altered(code, message, advice=ALTERED_ADVICE, details=details)


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(Code.MALFORMED_DOCUMENT, message, advice="Write entries with this program only.")


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise _malformed(message)


def _text(value: JsonValue, what: str) -> str:
    if not isinstance(value, str):
        raise _malformed(f"{what} is not text")
    return value


def _integer(value: JsonValue, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _malformed(f"{what} is not an integer")
    return value


def _is_count(value: int) -> bool:
    return 0 <= value <= _MAX_INTEGER


def _is_actor(value: str) -> bool:
    return 0 < len(value) <= _MAX_ACTOR_LENGTH and value.isprintable() and value == value.strip()
