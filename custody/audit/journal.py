"""The journal: entries as exact bytes, the chain between them, and the export of both.

An entry is an RFC 8785 document with the keys `format journal_id seq time tip actor kind
body request_id prev hash`. `hash` is the SHA-256 of the canonical bytes without `hash`, and
`prev` is the hash of the entry before it, so that the newest hash commits to all of history.
An export is one line an entry, right to the byte.

Nothing here knows what a kind means: that is the fold's business. Nothing here shows that a
whole journal was not rewritten; only a head hash kept elsewhere (`expect_head`) does that.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from custody.audit.journal_bytes import HASH_MEMBER_LENGTH, with_hash, without_hash
from custody.audit.journal_fields import (
    ALTERED_ADVICE,
    altered,
    demand,
    finding,
    hash_of,
    integer_of,
    is_actor,
    is_count,
    is_hash,
    is_id,
    is_kind,
    is_time,
    malformed,
    text_of,
)
from custody.codes import Code
from custody.documents.canonical_json import canonical, parse_canonical
from custody.errors import Altered, CustodyError, Finding, JsonValue, Severity, UsageError

ENTRY_FORMAT = "custody-journal/1"

GENESIS_PREV = "0" * 64
"""`prev` of the first entry."""

MAX_ENTRY_BYTES = 64_000_000
"""Far above the largest PSBT that is read (16 MB) in base64; a larger entry can't be made either."""

_KEYS = frozenset({"format", "journal_id", "seq", "time", "tip", "actor", "kind", "body", "request_id", "prev"})
_TIP_KEYS = frozenset({"height", "hash", "median_time_past"})


@dataclass(frozen=True, slots=True)
class EntryTip:
    """The chain's newest block as last seen when an entry was written."""

    height: int
    block_hash: str
    """As displayed (big-endian hex); the key is `hash` in the document."""
    median_time_past: int
    """Unix seconds (BIP 113)."""

    def __post_init__(self) -> None:
        demand(is_count(self.height), "tip height is not a block height")
        demand(is_hash(self.block_hash), "tip hash is not 64 lower-case hex characters")
        demand(is_count(self.median_time_past), "median time past is not Unix seconds")

    def to_document(self) -> dict[str, JsonValue]:
        """Return the tip as it stands in an entry."""
        return {"height": self.height, "hash": self.block_hash, "median_time_past": self.median_time_past}

    @classmethod
    def from_document(cls, document: JsonValue) -> "EntryTip":
        """Read the tip of an entry; the keys must be exactly height, hash and median_time_past."""
        if not isinstance(document, dict) or document.keys() != _TIP_KEYS:
            raise malformed("tip is neither null nor height, hash and median_time_past")
        return cls(
            height=integer_of(document["height"], "tip height"),
            block_hash=text_of(document["hash"], "tip hash"),
            median_time_past=integer_of(document["median_time_past"], "median time past"),
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
        # A long journal makes these checks a million times: no message is written before it is needed.
        if not is_id(self.journal_id):
            raise malformed(f"journal id `{self.journal_id[:128]}` is not a plain id")
        if not is_count(self.seq):
            raise malformed(f"seq is `{self.seq}`, expected 0 or more")
        demand(is_time(self.time), "time is not `YYYY-MM-DDTHH:MM:SSZ`")
        demand(self.actor is None or is_actor(self.actor), "actor is not a printable name")
        demand(is_kind(self.kind), "kind is not a lower-case word")
        demand(is_id(self.request_id), "request id is not a plain id")
        demand(is_hash(self.prev), "prev is not 64 lower-case hex characters")
        if hash_of(self.canonical) != self.hash:
            raise malformed(f"hash of entry {self.seq} does not cover its bytes")

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
        stored = canonical(document)
        # Read back at once: what can't be read must not become history, and the caller keeps no hand in the body.
        return cls._from_document(_read_object(stored), stored, hash_of(stored))

    @classmethod
    def from_stored(cls, stored: bytes, entry_hash: str) -> "Entry":
        """Read an entry from its stored bytes and the hash beside them, strictly.

        Raises:
            Altered: the bytes are not canonical, not an entry, or not what `entry_hash` covers.
        """
        try:
            return cls._from_document(_read_object(stored), stored, entry_hash)
        except CustodyError as error:
            raise altered(error.message) from error

    @classmethod
    def from_export_line(cls, line: bytes) -> "Entry":
        """Read one line of an export (with its line feed), which must be right to the byte.

        Raises:
            Altered: anything else than `export_line` would write.
        """
        try:
            if not line.endswith(b"\n"):
                raise malformed("a line does not end with a line feed")
            whole = line[:-1]
            fields = _read_object(whole, max_bytes=MAX_ENTRY_BYTES + HASH_MEMBER_LENGTH)
            entry_hash = text_of(fields.pop("hash", None), "hash")
            return cls._from_document(fields, without_hash(whole, entry_hash), entry_hash)
        except CustodyError as error:
            raise altered(error.message) from error

    def canonical_without_hash(self) -> bytes:
        """Return the bytes that are stored and that `hash` covers."""
        return self.canonical

    def export_line(self) -> bytes:
        """Return the canonical entry with its hash, and a line feed."""
        return with_hash(self.canonical, self.hash) + b"\n"

    @classmethod
    def _from_document(cls, document: dict[str, JsonValue], stored: bytes, entry_hash: str) -> "Entry":
        if document.keys() != _KEYS:
            raise malformed("the keys are not those of a journal entry")
        if document["format"] != ENTRY_FORMAT:
            raise malformed(f"format is not `{ENTRY_FORMAT}`")
        body = document["body"]
        if not isinstance(body, dict):
            raise malformed("body is not an object")
        tip, actor = document["tip"], document["actor"]
        return cls(
            journal_id=text_of(document["journal_id"], "journal id"),
            seq=integer_of(document["seq"], "seq"),
            time=text_of(document["time"], "time"),
            tip=None if tip is None else EntryTip.from_document(tip),
            actor=None if actor is None else text_of(actor, "actor"),
            kind=text_of(document["kind"], "kind"),
            body=body,
            request_id=text_of(document["request_id"], "request id"),
            prev=text_of(document["prev"], "prev"),
            hash=entry_hash,
            canonical=stored,
        )


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was readable of a journal, and everything that is wrong with it."""

    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, stream: Iterable[Entry | Finding]) -> "Inspection":
        """Collect what an inspection yields."""
        entries: list[Entry] = []
        findings: list[Finding] = []
        for found in stream:
            if isinstance(found, Entry):
                entries.append(found)
            else:
                findings.append(found)
        return cls(tuple(entries), tuple(findings))


class Inspector:
    """Judges records one after another; of what went before it keeps one entry, however long the journal."""

    def __init__(self) -> None:
        self._previous: Entry | None = None
        self._is_linkable = True

    def judge(self, where: str, read: Callable[[], Entry]) -> Sequence[Entry | Finding]:
        """Return what is wrong with the next record, and then its entry where it could be read."""
        try:
            entry = read()
        except Altered as error:
            # After an unreadable record the next one's link can't be judged; the gap is already a finding.
            self._is_linkable = False
            return (finding(where, error.message),)
        breaks = _breaks(self._previous, entry, where) if self._is_linkable else []
        self._previous, self._is_linkable = entry, True
        return (*breaks, entry)


def inspect_chain(entries: Iterable[Entry], *, after: Entry | None = None) -> tuple[Finding, ...]:
    """Return every break of order, link or journal between entries; `after` is the one before the first."""
    findings: list[Finding] = []
    for position, entry in enumerate(entries, start=0 if after is None else after.seq + 1):
        findings += _breaks(after, entry, f"entry:{position}")
        after = entry
    return tuple(findings)


def inspect_stored(rows: Iterable[tuple[bytes, str]]) -> Inspection:
    """Read the stored bytes and hashes of a whole journal and return every discrepancy, at `entry:N` from 0."""
    return Inspection.of(
        _judged((f"entry:{position}", partial(Entry.from_stored, *row)) for position, row in enumerate(rows))
    )


def inspect_export(export: bytes) -> Inspection:
    """Read an export and return every discrepancy, at `line:N` from 1."""
    return Inspection.of(inspect_export_lines(export))


def inspect_export_lines(export: bytes) -> Iterator[Entry | Finding]:
    """Yield each entry of an export, and before it what is wrong there, at `line:N` from 1; nothing is kept."""
    lines = enumerate(_lines(export), start=1)
    return _judged((f"line:{number}", partial(Entry.from_export_line, line)) for number, line in lines)


def linked(entries: Iterable[Entry], *, after: Entry | None = None) -> Iterator[Entry]:
    """Yield each entry when it was found to follow the one before, the first of them `after`; nothing is kept.

    Raises:
        Altered: JOURNAL_ALTERED at the first break.
    """
    for entry in entries:
        require_clean(_breaks(after, entry))
        yield entry
        after = entry


def check_chain(entries: Sequence[Entry], *, after: Entry | None = None, expect_head: str | None = None) -> None:
    """Demand that the entries follow one another, and that `expect_head` is the head or an ancestor of it.

    Raises:
        Altered: JOURNAL_ALTERED for a broken chain, JOURNAL_FORK where it is whole but not the expected one.
        UsageError: `expect_head` is no hash.
    """
    require_clean(inspect_chain(entries, after=after))
    if expect_head is not None:
        _require_head(entries, expect_head)


def parse_export(export: bytes, *, expect_head: str | None = None) -> list[Entry]:
    """Read an export that must be right to the byte and in its chain; no bytes are an empty journal.

    Raises:
        Altered: as `check_chain`, and for every line that is not what `export_line` writes.
    """
    inspection = inspect_export(export)
    require_clean(inspection.findings)
    check_chain(inspection.entries, expect_head=expect_head)
    return list(inspection.entries)


def require_clean(findings: Sequence[Finding]) -> None:
    """Raise the first of the journal's findings, with all of them in its details."""
    if findings:
        first = findings[0]
        raise altered(
            f"{first.where}: {first.message}", code=first.code, findings=[finding.to_json() for finding in findings]
        )


def head_finding(entries: Sequence[Entry], expect_head: str) -> Finding | None:
    """Return what is wrong when `expect_head` is neither the head nor an ancestor of it, else None.

    Raises:
        UsageError: `expect_head` is not 64 lower-case hex characters.
    """
    require_hash(expect_head)
    if expect_head == GENESIS_PREV or any(entry.hash == expect_head for entry in entries):
        return None
    return fork_finding(expect_head, entries[-1].hash if entries else GENESIS_PREV, len(entries))


def require_hash(expect_head: str) -> None:
    """Demand that an expected head can be one.

    Raises:
        UsageError: it is not 64 lower-case hex characters.
    """
    if not is_hash(expect_head):
        raise UsageError(
            Code.USAGE,
            "the expected head is not 64 lower-case hex characters",
            advice="Copy the whole head hash from the place where it was kept.",
        )


def fork_finding(expect_head: str, head: str, count: int) -> Finding:
    """Return what is wrong with a journal in which an expected head is not found."""
    message = f"head {head} of {count} entries does not follow the expected head {expect_head}"
    return Finding(Code.JOURNAL_FORK, Severity.REFUSE, "head", message, ALTERED_ADVICE)


def _read_object(data: bytes, *, max_bytes: int = MAX_ENTRY_BYTES) -> dict[str, JsonValue]:
    document = parse_canonical(data, max_bytes=max_bytes)
    if not isinstance(document, dict):
        raise malformed("an entry is not a JSON object")
    return document


def _require_head(entries: Sequence[Entry], expect_head: str) -> None:
    found = head_finding(entries, expect_head)
    require_clean([] if found is None else [found])


def _judged(records: Iterable[tuple[str, Callable[[], Entry]]]) -> Iterator[Entry | Finding]:
    inspector = Inspector()
    for where, read in records:
        yield from inspector.judge(where, read)


def _lines(export: bytes) -> Iterator[bytes]:
    """Yield the lines with their line feeds. Split at LF alone: every other break is a character like any other."""
    start = 0
    while start < len(export):
        found = export.find(b"\n", start)
        end = len(export) if found < 0 else found + 1
        yield export[start:end]
        start = end


def _breaks(previous: Entry | None, entry: Entry, where: str | None = None) -> list[Finding]:
    """Compare an entry with the one before it, so that one break is one finding and not a thousand.

    Without `where` they are found at the position that the entry should have.
    """
    seq, prev = (0, GENESIS_PREV) if previous is None else (previous.seq + 1, previous.hash)
    messages: list[str] = []
    if entry.seq != seq:
        messages.append(f"seq is {entry.seq}, expected {seq}")
    if entry.prev != prev:
        messages.append(f"prev is {entry.prev}, expected {prev}")
    if previous is not None and entry.journal_id != previous.journal_id:
        messages.append("journal id is not that of the entries before it")
    return [finding(where or f"entry:{seq}", message) for message in messages]
