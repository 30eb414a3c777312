"""The bundle (`custody-bundle/1`): one file with which a signer checks a governed payment offline.

It holds the vault document, the PSBT, the proposal with its drafter's and approvers' signed
statements, every entry of governance since the founding, and claims. RFC 8785 bytes and one line
feed; entries are whole and canonical with their hashes, as in an export of the journal, each with
the chain's time at its position, which is a claim. They are in the journal's order, not
consecutive. Reading proves shape alone: who signed what is `fold_bundle.py`'s to find out, from
nothing but these bytes and the signer's own vault file and pin.
"""

from dataclasses import dataclass
from itertools import pairwise

from custody.audit.bundle_claims import Claims, time_of
from custody.audit.fold_governance import ATTESTED, CHANGE_PROPOSED, CHANGE_SIGNED, CHECKPOINT
from custody.audit.fold_statements import STATEMENT
from custody.audit.journal import Entry
from custody.bitcoin.psbt import Psbt, psbt_from_text_or_bytes
from custody.documents.canonical_json import canonical, parse_canonical
from custody.documents.format_tag import require_format
from custody.errors import Altered, JsonValue
from custody.spend.document import fields_of, list_of, malformed, text_of
from custody.spend.proposal import Proposal
from custody.vault.vault import Vault

BUNDLE_FORMAT = "custody-bundle/1"
MAX_BYTES = 64_000_000
"""The largest PSBT in base64 takes a third of it."""
MAX_ENTRIES = 20_000

CARRIED_KINDS = frozenset({CHANGE_PROPOSED, CHANGE_SIGNED, ATTESTED, CHECKPOINT})
"""Entries of governance that stand in a bundle; naming officers before the founding gives no authority."""


@dataclass(frozen=True, slots=True)
class TimedEntry:
    """A journal entry with the chain's time at its position."""

    entry: Entry
    time: int
    """Highest median time past that the journal had seen there, Unix seconds: a claim, as is its position."""

    def __post_init__(self) -> None:
        tip = self.entry.tip
        if tip is not None and tip.median_time_past > self.time:
            raise malformed(f"entry {self.entry.seq} saw a later time than the bundle says of it")

    def to_document(self) -> dict[str, JsonValue]:
        """Return the entry as it stands in a bundle."""
        return {"entry": parse_canonical(self.entry.export_line()[:-1]), "time": self.time}

    @classmethod
    def from_document(cls, value: JsonValue, what: str) -> "TimedEntry":
        """Read an entry; its canonical bytes must be what its hash covers.

        Raises:
            InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD.
        """
        found = fields_of(value, what, ("entry", "time"))
        try:
            entry = Entry.from_export_line(canonical(found["entry"]) + b"\n")
        except Altered as error:
            raise malformed(f"{what}: {error.message}") from error
        return cls(entry, time_of(found["time"], f"{what}.time"))


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as read: its parts have their shapes and the order of a journal."""

    vault: Vault
    """The maker's copy. Statements are built with its names; nothing else is taken from it."""
    psbt: Psbt
    proposal: Proposal
    replaced: tuple[Proposal, ...]
    """The proposals that this one replaces, oldest first; each names the one before by its hash."""
    governance: tuple[TimedEntry, ...]
    statements: tuple[TimedEntry, ...]
    """propose and approve of this proposal and of those that it replaces."""
    claims: Claims

    def __post_init__(self) -> None:
        _require_order(self.entries, self.claims.time)
        if any(one.entry.kind not in CARRIED_KINDS for one in self.governance):
            raise malformed("an entry among `governance` is not one of governance")
        if any(one.entry.kind != STATEMENT for one in self.statements):
            raise malformed("an entry among `statements` is no statement about a proposal")
        chain = (*self.replaced, self.proposal)
        before: tuple[str | None, ...] = (None, *(one.proposal_id for one in self.replaced))
        if tuple(one.replaces for one in chain) != before:
            raise malformed("the replaced proposals are not those that the proposal names by their hashes")

    @property
    def entries(self) -> tuple[TimedEntry, ...]:
        """Governance and statements in the journal's order."""
        return tuple(sorted((*self.governance, *self.statements), key=lambda one: one.entry.seq))

    def to_bytes(self) -> bytes:
        """Return the file."""
        document: dict[str, JsonValue] = {
            "format": BUNDLE_FORMAT,
            "vault": self.vault.to_document(),
            "psbt": self.psbt.to_base64(),
            "proposal": self.proposal.to_document(),
            "replaced": [one.to_document() for one in self.replaced],
            "governance": [one.to_document() for one in self.governance],
            "statements": [one.to_document() for one in self.statements],
            "claims": self.claims.to_document(),
        }
        return canonical(document) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> "Bundle":
        """Read a bundle, strictly: no signature is looked at.

        Raises:
            InvalidInput: FILE_TOO_LARGE, UNKNOWN_FORMAT, UNKNOWN_FIELD, MALFORMED_DOCUMENT, and what
                vaults, proposals and PSBTs are refused for. UpgradeNeeded: a later format.
        """
        document = parse_canonical(data.removesuffix(b"\n"), max_bytes=MAX_BYTES)
        advice = "Give a file that `custody proposal export --bundle` wrote."
        require_format(document, BUNDLE_FORMAT, "the bundle", advice=advice)
        found = fields_of(document, "a bundle", _KEYS)
        return cls(
            vault=Vault.from_document(found["vault"]),
            psbt=_psbt_of(found["psbt"]),
            proposal=Proposal.from_document(found["proposal"]),
            replaced=list_of(_proposal_of, found["replaced"], "replaced"),
            governance=list_of(TimedEntry.from_document, _few(found["governance"]), "governance"),
            statements=list_of(TimedEntry.from_document, _few(found["statements"]), "statements"),
            claims=Claims.from_document(found["claims"]),
        )


_KEYS = ("format", "vault", "psbt", "proposal", "replaced", "governance", "statements", "claims")


def _require_order(entries: tuple[TimedEntry, ...], tip_time: int) -> None:
    for first, second in pairwise(entries):
        one, other = first.entry, second.entry
        if other.seq == one.seq or other.journal_id != one.journal_id:
            raise malformed("a bundle has two entries of one position, or of two journals")
        if other.seq == one.seq + 1 and other.prev != one.hash:
            raise malformed(f"entry {other.seq} of a bundle does not follow entry {one.seq}")
        if second.time < first.time:
            raise malformed(f"time falls at entry {other.seq} of a bundle")
    if entries and entries[-1].time > tip_time:
        raise malformed("an entry of a bundle is later than the tip that it claims")


def _few(value: JsonValue) -> JsonValue:
    if isinstance(value, list) and len(value) > MAX_ENTRIES:
        raise malformed(f"a bundle has more than {MAX_ENTRIES} entries of a kind")
    return value


def _psbt_of(value: JsonValue) -> Psbt:
    text = text_of(value, "psbt")
    psbt = psbt_from_text_or_bytes(text.encode())
    if psbt.to_base64() != text:
        raise malformed("psbt is not base64 without white space")
    return psbt


def _proposal_of(value: JsonValue, _what: str) -> Proposal:
    return Proposal.from_document(value)
