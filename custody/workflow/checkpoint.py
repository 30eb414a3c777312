"""Signed checkpoints: how long the journal was and what its newest entry was, by officers' signatures.

A chain of hashes shows edits; only something kept elsewhere shows a journal that was cut short or
written anew as a whole. A checkpoint's statement follows from the journal up to its head alone, so
that officers in different places sign the same text. The file (`custody-checkpoint/1`) is for
keeping apart from the journal: in each office, on paper, in a safe.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from custody.audit.fold import fold
from custody.audit.fold_governance import CHECKPOINT
from custody.audit.governance import GovernanceState
from custody.audit.journal import GENESIS_PREV, Entry
from custody.codes import Code
from custody.documents.canonical_json import canonical, parse_json
from custody.documents.format_tag import require_format
from custody.documents.sshsig import SshSignature, verify_sshsig
from custody.documents.sshsig_keys import SshPublicKey
from custody.errors import CheckFailed, Conflict, CustodyError, Finding, JsonValue, Severity, UsageError
from custody.people.approval import require_signed
from custody.people.officer import SIGNER, Officer
from custody.people.statement import Statement, checkpoint_statement
from custody.spend.document import fields_of, hash_of, integer_of, list_of, text_of
from custody.workflow.office import Desk, Office

CHECKPOINT_FORMAT = "custody-checkpoint/1"
MAX_BYTES = 1_000_000

_ADVICE = "Stop, leave both as they are, and call the auditor."


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head of a journal with officers' signatures: what a checkpoint file says."""

    vault_id: str
    network: str
    journal_id: str
    length: int
    """Entries up to and with the head."""
    head: str
    time: str
    """Writer's clock in the head entry: for people."""
    governance: str
    """Number and digest of the newest governance statement then."""
    signatures: tuple[tuple[str, str], ...]
    """Officer and armored signature."""

    @property
    def statement(self) -> Statement:
        """What was signed."""
        return checkpoint_statement(
            vault_id=self.vault_id,
            network=self.network,
            journal_id=self.journal_id,
            length=self.length,
            head=self.head,
            time=self.time,
            governance=self.governance,
        )

    def to_bytes(self) -> bytes:
        """Return the checkpoint file."""
        signatures: list[JsonValue] = [{"officer": name, "signature": text} for name, text in self.signatures]
        return (
            canonical(
                {
                    "format": CHECKPOINT_FORMAT,
                    "vault_id": self.vault_id,
                    "network": self.network,
                    "journal_id": self.journal_id,
                    "entries": self.length,
                    "head": self.head,
                    "time": self.time,
                    "governance": self.governance,
                    "signatures": signatures,
                }
            )
            + b"\n"
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "SignedHead":
        """Read a checkpoint file, strictly; its signatures are not looked at.

        Raises:
            InvalidInput: UNKNOWN_FORMAT, UNKNOWN_FIELD, MALFORMED_DOCUMENT. UpgradeNeeded: a later format.
        """
        document = parse_json(data, max_bytes=MAX_BYTES)
        advice = "Give a file that `custody journal checkpoint` wrote."
        require_format(document, CHECKPOINT_FORMAT, "the checkpoint", advice=advice)
        found = fields_of(document, "a checkpoint", _KEYS)
        return cls(
            vault_id=hash_of(found["vault_id"], "vault_id"),
            network=text_of(found["network"], "network"),
            journal_id=text_of(found["journal_id"], "journal_id"),
            length=integer_of(found["entries"], "entries"),
            head=hash_of(found["head"], "head"),
            time=text_of(found["time"], "time"),
            governance=text_of(found["governance"], "governance"),
            signatures=list_of(_signature_of, found["signatures"], "signatures"),
        )


_KEYS = ("format", "vault_id", "network", "journal_id", "entries", "head", "time", "governance", "signatures")


def require_sound(head: SignedHead) -> None:
    """Demand that each signature of a checkpoint file is one over its head, by the key that it carries.

    Whose keys those are, nobody can tell from the file: who knows them reads it with `journal verify --checkpoint`.

    Raises:
        CheckFailed, InvalidInput: SSHSIG_*, MALFORMED_DOCUMENT.
    """
    statement = head.statement
    for _officer, signature in head.signatures:
        verify_sshsig(SshSignature.from_armored(signature), statement.signed_bytes, namespace=statement.kind.namespace)


def head_to_sign(office: Office, at: str | None) -> SignedHead:
    """Return the checkpoint of the newest entry, or of the entry with the hash `at`, unsigned.

    Raises:
        Conflict: NOT_FOUNDED. UsageError: no entry has that hash.
    """
    entries: Sequence[Entry] = office.entries
    if at is not None:
        place = next((number for number, entry in enumerate(entries) if entry.hash == at), None)
        if place is None:
            raise UsageError(Code.USAGE, f"no entry has the hash `{at[:64]}`", advice="See `custody journal show`.")
        entries = entries[: place + 1]
    gov = office.state.governance if at is None else fold(entries).governance
    if gov.head is None:
        raise Conflict(
            Code.NOT_FOUNDED, "no officers are in force", advice="Found the vault with `custody vault found`."
        )
    head = entries[-1]
    return SignedHead(
        vault_id=office.vault.vault_id,
        network=str(office.vault.network),
        journal_id=head.journal_id,
        length=len(entries),
        head=head.hash,
        time=head.time,
        governance=gov.head.words(),
        signatures=(),
    )


def checkpoint_signer(gov: GovernanceState, name: str | None) -> Officer:
    """Return the officer in force who signs a checkpoint.

    Raises:
        UsageError: nobody is named. CheckFailed: APPROVER_NOT_AUTHORISED.
    """
    if name is None:
        raise UsageError(Code.USAGE, "nobody is named who signs", advice="Say who you are with --as NAME.")
    officer = gov.officers.get(name)
    if officer is None:
        raise CheckFailed(
            Code.APPROVER_NOT_AUTHORISED,
            f"`{name}` is no officer in force",
            advice="See who is enrolled with `custody officer list`.",
        )
    return officer


def record_checkpoint(desk: Desk, head: SignedHead, name: str | None, signature: str) -> SignedHead:
    """Record an officer's signature under a head of this journal, and return every one that it has.

    Raises:
        CheckFailed: the signature is not the officer's over this head. UsageError: the head is not in the journal.
    """
    officer = checkpoint_signer(desk.state.governance, name)
    again = head_to_sign(desk.office, head.head)
    require_signed(signature, again.statement, officer)
    desk.record_authority(
        [
            (
                CHECKPOINT,
                {
                    "officer": officer.name,
                    "entries": again.length,
                    "head": again.head,
                    "time": again.time,
                    "governance": again.governance,
                    "signature": signature,
                },
            )
        ]
    )
    given = {one.officer: one.signature for one in desk.state.governance.checkpoints if one.head == again.head}
    return replace(again, signatures=tuple(given.items()))


@dataclass(frozen=True, slots=True)
class Hashes:
    """The hashes of a journal's entries, packed: a checkpoint is held against the one at its place."""

    packed: bytes
    """32 bytes an entry, in their order."""

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.packed) // 32

    def holds(self, entry_hash: str) -> bool:
        """Tell whether an entry has this hash; 64 zeros come before every journal."""
        wanted = bytes.fromhex(entry_hash)
        places = range(0, len(self.packed), 32)
        return entry_hash == GENESIS_PREV or any(self.packed[at : at + 32] == wanted for at in places)

    def of_head(self, length: int) -> str | None:
        """Return the hash of the newest of the first `length` entries, None where there are fewer."""
        return self.packed[32 * (length - 1) : 32 * length].hex() if 0 < length <= len(self) else None


def compare_checkpoint(hashes: Hashes, gov: GovernanceState, kept: SignedHead, where: str) -> list[Finding]:
    """Return what is wrong when a journal is held against a checkpoint that was kept elsewhere.

    `JOURNAL_FORK` (exit 10) when the journal is shorter than it was, or another entry stands at that
    place: both heads are named. A checkpoint that no officer of this journal signed proves nothing.
    """
    there = hashes.of_head(kept.length)
    signed = _signers(gov, kept)
    by = f", signed by {', '.join(signed)}" if signed else ", signed by nobody whom this journal knows"
    if there is None:
        words = (
            f"the checkpoint counts {kept.length} entries with head {kept.head}{by}; this journal has "
            f"{len(hashes)} with head {hashes.of_head(len(hashes)) or 'none'}: it was rolled back"
        )
        return [Finding(Code.JOURNAL_FORK, Severity.REFUSE, where, words, _ADVICE)]
    if there != kept.head:
        words = (
            f"entry {kept.length - 1} was {kept.head} at the checkpoint{by}; in this journal it is {there}: "
            "two histories exist"
        )
        return [Finding(Code.JOURNAL_FORK, Severity.REFUSE, where, words, _ADVICE)]
    if not signed:
        words = "no officer of this journal signed the checkpoint: it proves nothing about who saw this head"
        advice = "Compare the head with a checkpoint that an officer signed."
        return [Finding(Code.CHECKPOINT_UNSIGNED, Severity.WARN, where, words, advice)]
    return []


def governance_findings(hashes: Hashes, gov: GovernanceState) -> list[Finding]:
    """Return which checkpoints in a journal don't fit it, and which entries claim authority in vain.

    Warnings: one officer can sign a head that no journal ever had, and must not stop the vault by it. What
    proves a second history is a checkpoint that was kept elsewhere (`compare_checkpoint`).
    """
    vain = [
        Finding(
            Code.AUTHORITY_DISREGARDED,
            Severity.WARN,
            f"entry:{one.seq}",
            f"it claims authority and counts for nothing: {one.words}",
            "Find out who wrote it: this program never does.",
        )
        for one in gov.disregarded
    ]
    return [*(finding for _seq, finding in false_checkpoints(hashes, gov)), *vain]


def false_checkpoints(hashes: Hashes, gov: GovernanceState) -> list[tuple[int, Finding]]:
    """Return the checkpoints in a journal that don't fit it, each with its entry."""
    return [
        (
            one.seq,
            Finding(
                Code.AUTHORITY_DISREGARDED,
                Severity.WARN,
                f"entry:{one.seq}",
                f"`{one.officer}` signed head {one.head} of {one.length} entries; this journal has "
                f"{hashes.of_head(one.length) or 'none'} there, so that the checkpoint counts for nothing",
                f"Ask `{one.officer}` where that head comes from, and hold the journal against the checkpoint files "
                "kept elsewhere (`journal verify --checkpoint`).",
            ),
        )
        for one in gov.checkpoints
        if hashes.of_head(one.length) != one.head
    ]


def _signers(gov: GovernanceState, kept: SignedHead) -> list[str]:
    """Return the officers, revoked ones included, whose key of this journal signed the checkpoint."""
    found = []
    for name, signature in kept.signatures:
        blobs = [blob for blob, owner in gov.enrolled_keys.items() if owner == name]
        if any(_is_signed(signature, kept.statement, name, blob) for blob in blobs):
            found.append(name)
    return found


def _is_signed(signature: str, statement: Statement, name: str, blob: bytes) -> bool:
    officer = Officer(name, frozenset({SIGNER}), SshPublicKey.from_blob(blob))
    try:
        require_signed(signature, statement, officer)
    except CustodyError:
        return False
    return True


def _signature_of(value: JsonValue, what: str) -> tuple[str, str]:
    found = fields_of(value, what, ("officer", "signature"))
    return text_of(found["officer"], "officer"), text_of(found["signature"], "signature")
