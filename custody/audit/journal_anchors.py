"""Read a journal's lines on past what is wrong with them, for an auditor who wants all of it and not the first.

Each line is judged as an export's must be. One that is not right to the byte, or not what its hash covers, is read
as it stands where that can be done; the next line's link is compared with the hash that the line claims, so that one
edit is one finding. Where a link is broken the chain begins anew there: what stands after it is whole in itself, and
nothing shows that it follows what stands before.
"""

from dataclasses import dataclass

from custody.audit.journal import ENTRY_FORMAT, GENESIS_PREV, MAX_ENTRY_BYTES, Entry, EntryTip
from custody.audit.journal_bytes import HASH_MEMBER_LENGTH
from custody.audit.journal_fields import is_hash, text_of
from custody.documents.canonical_json import parse_json
from custody.errors import Altered, CustodyError, JsonValue
from custody.spend.document import fields_of, integer_of

_KEYS = frozenset({"format", "journal_id", "seq", "time", "tip", "actor", "kind", "body", "request_id", "prev", "hash"})


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line of an export, and what is wrong with it."""

    seq: int
    """The entry's position: its own word where it can be read, else where the line stands."""
    entry: Entry | None
    """None where the line can't be read at all. Its hash is that of its bytes, which need not be the claimed one."""
    claimed_hash: str | None
    """What the line says its hash is; `prev` of the next line is compared with it."""
    problems: tuple[str, ...]
    """In words; none where the line is right to the byte and follows the one before."""


class LineReader:
    """Reads line after line; of what went before it keeps one entry and one hash."""

    def __init__(self) -> None:
        self._next_seq = 0
        self._prev: str | None = GENESIS_PREV
        """Hash of the line before as it claims it, None after a line that says none."""
        self._journal_id: str | None = None

    def read(self, line: bytes) -> ReadLine:
        """Read the next line, with its line feed."""
        problems: list[str] = []
        entry: Entry | None
        try:
            entry = Entry.from_export_line(line)
            claimed: str | None = entry.hash
        except Altered as error:
            problems.append(error.message)
            entry, claimed = _as_it_stands(line)
        if entry is None:
            place, self._next_seq, self._prev = self._next_seq, self._next_seq + 1, None
            return ReadLine(place, None, None, (*problems, "the line can't be read: it counts for nothing here"))
        if entry.hash != claimed:
            problems = ["it was changed after it was written: its bytes have another hash than the one it names"]
        problems += self._breaks(entry)
        self._next_seq, self._prev, self._journal_id = entry.seq + 1, claimed, entry.journal_id
        return ReadLine(entry.seq, entry, claimed, tuple(problems))

    def _breaks(self, entry: Entry) -> list[str]:
        problems = []
        if entry.seq != self._next_seq:
            problems.append(f"seq is {entry.seq}, expected {self._next_seq}: entries were removed, added or moved")
        if self._prev is not None and entry.prev != self._prev:
            problems.append(f"prev is {entry.prev}, expected {self._prev}: it does not follow the entry before it")
        if self._journal_id is not None and entry.journal_id != self._journal_id:
            problems.append(f"journal id is {entry.journal_id}, that of the entry before it is {self._journal_id}")
        return problems


def _as_it_stands(line: bytes) -> tuple[Entry | None, str | None]:
    """Return what a line says, though it is not right to the byte or has a false hash, and the hash that it claims."""
    try:
        found = fields_of(parse_json(line, max_bytes=MAX_ENTRY_BYTES + HASH_MEMBER_LENGTH), "an entry", _KEYS)
        claimed = text_of(found["hash"], "hash")
        body, tip, actor = found["body"], found["tip"], found["actor"]
        if found["format"] != ENTRY_FORMAT or not isinstance(body, dict):
            return None, None
        entry = Entry.make(
            journal_id=text_of(found["journal_id"], "journal id"),
            seq=integer_of(found["seq"], "seq"),
            time=text_of(found["time"], "time"),
            tip=None if tip is None else EntryTip.from_document(tip),
            actor=_name_of(actor),
            kind=text_of(found["kind"], "kind"),
            body=body,
            request_id=text_of(found["request_id"], "request id"),
            prev=text_of(found["prev"], "prev"),
        )
    except CustodyError:
        return None, None
    return entry, claimed if is_hash(claimed) else None


def _name_of(actor: JsonValue) -> str | None:
    return None if actor is None else text_of(actor, "actor")
