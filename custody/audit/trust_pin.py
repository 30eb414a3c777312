"""The trust pin (`custody-trust/1`): what a signer has seen and compared, in a file of their own.

A bundle brings its officers with it; only the pin says that they are the right ones. It names the
founding statement, the newest governance statement, up to which number a person confirmed what
became of changes that had to wait, the highest policy version of those, and the highest checkpoint.
No time stands in it: a bundle's times are claims, and one that lies must leave no trace. Two pins of
one vault differ only by how far they have come; none ever goes back.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from custody.audit.governance import Checkpoint, GovernanceState
from custody.codes import Code
from custody.documents import strict_yaml
from custody.documents.format_tag import require_format
from custody.errors import CheckFailed, Conflict, Finding, JsonValue, Severity
from custody.people.statement import GovernanceRef
from custody.spend.document import fields_of, hash_of, integer_of, list_of, malformed, text_of
from custody.spend.review_findings import DO_NOT_SIGN

PIN_FORMAT = "custody-trust/1"
MAX_BYTES = 10_000

_WHERE = "pin"


@dataclass(frozen=True, slots=True)
class SeenCheckpoint:
    """The highest head of the journal that an officer signed, as far as seen."""

    length: int
    head: str
    signed_by: tuple[str, ...]
    """The officers whose signatures under it were seen: who is asked when another head turns up."""

    def words(self) -> str:
        """Return it as people read it."""
        return f"{self.length} entries, head {self.head}, signed by {', '.join(self.signed_by)}"


@dataclass(frozen=True, slots=True)
class TrustPin:
    """What one signer holds a bundle against."""

    vault_id: str
    founding: str
    """Digest of the founding statement."""
    governance: GovernanceRef
    """The newest governance statement seen."""
    settled: int
    """Number of the newest statement up to which a person confirmed what became of each change that waited."""
    policy_version: int
    """The highest version in force by settled changes."""
    checkpoint: SeenCheckpoint | None

    def __post_init__(self) -> None:
        if self.settled > self.governance.number:
            raise malformed("a pin has settled more than it has seen")

    def to_bytes(self) -> bytes:
        """Return the file."""
        checkpoint: JsonValue = None
        if self.checkpoint is not None:
            checkpoint = {
                "entries": self.checkpoint.length,
                "head": self.checkpoint.head,
                "signed_by": [*self.checkpoint.signed_by],
            }
        document: dict[str, JsonValue] = {
            "format": PIN_FORMAT,
            "vault_id": self.vault_id,
            "founding": self.founding,
            "governance": {"number": self.governance.number, "digest": self.governance.digest},
            "settled": self.settled,
            "policy_version": self.policy_version,
            "checkpoint": checkpoint,
        }
        return strict_yaml.dump(document).encode()

    def to_json(self) -> dict[str, JsonValue]:
        """Return the pin as commands show it: the file's own keys."""
        document = strict_yaml.load(self.to_bytes())
        return document if isinstance(document, dict) else {}

    @classmethod
    def from_bytes(cls, data: bytes) -> "TrustPin":
        """Read a pin, strictly.

        Raises:
            InvalidInput: UNKNOWN_FORMAT, UNKNOWN_FIELD, MALFORMED_DOCUMENT. UpgradeNeeded: a later format.
        """
        document = strict_yaml.load(data)
        require_format(document, PIN_FORMAT, "the pin", advice="Give the file that `custody pin create` wrote.")
        found = fields_of(document, "a trust pin", _KEYS)
        governance = fields_of(found["governance"], "governance", ("number", "digest"))
        checkpoint = None
        if found["checkpoint"] is not None:
            stated = fields_of(found["checkpoint"], "checkpoint", ("entries", "head", "signed_by"))
            checkpoint = SeenCheckpoint(
                integer_of(stated["entries"], "checkpoint.entries"),
                hash_of(stated["head"], "checkpoint.head"),
                list_of(text_of, stated["signed_by"], "checkpoint.signed_by"),
            )
        return cls(
            vault_id=hash_of(found["vault_id"], "vault_id"),
            founding=hash_of(found["founding"], "founding"),
            governance=GovernanceRef(
                integer_of(governance["number"], "governance.number"),
                hash_of(governance["digest"], "governance.digest"),
            ),
            settled=integer_of(found["settled"], "settled"),
            policy_version=integer_of(found["policy_version"], "policy_version"),
            checkpoint=checkpoint,
        )

    @classmethod
    def of(cls, vault_id: str, gov: GovernanceState, *, settled: int, policy_version: int) -> "TrustPin":
        """Return the pin of a governance as folded; `policy_version` is the highest in force by what is settled.

        Raises:
            Conflict: NOT_FOUNDED.
        """
        if gov.head is None or gov.founding is None:
            raise Conflict(
                Code.NOT_FOUNDED, "no officers and no policy are in force in it", advice="Ask for a complete bundle."
            )
        return cls(
            vault_id=vault_id,
            founding=gov.founding,
            governance=gov.head,
            settled=settled,
            policy_version=policy_version,
            checkpoint=_seen_checkpoint(gov),
        )

    def advanced_to(self, newer: "TrustPin") -> "TrustPin":
        """Return `newer`, if this pin is of the same vault and founding and nothing in it falls back.

        That the newer chain passes through this pin's statement is `pin_findings`' to find out.

        Raises:
            CheckFailed: PIN_MISMATCH, GOVERNANCE_ROLLED_BACK.
        """
        if (newer.vault_id, newer.founding) != (self.vault_id, self.founding):
            raise CheckFailed(Code.PIN_MISMATCH, "the bundle is of another vault or founding", advice=DO_NOT_SIGN)
        lengths = [0 if one.checkpoint is None else one.checkpoint.length for one in (self, newer)]
        if (
            newer.governance.number < self.governance.number
            or newer.settled < self.settled
            or newer.policy_version < self.policy_version
            or lengths[1] < lengths[0]
        ):
            raise CheckFailed(Code.GOVERNANCE_ROLLED_BACK, "the pin would go back", advice=DO_NOT_SIGN)
        return newer


_KEYS = ("format", "vault_id", "founding", "governance", "settled", "policy_version", "checkpoint")


def newest_checkpoint(checkpoints: Iterable[Checkpoint]) -> Checkpoint | None:
    """Return the checkpoint that counts the most entries, the first signed of those."""
    return max(checkpoints, key=lambda one: (one.length, -one.seq), default=None)


def signers_of(checkpoints: Iterable[Checkpoint], head: str) -> tuple[str, ...]:
    """Return the officers who signed a head, each once."""
    return tuple(dict.fromkeys(one.officer for one in checkpoints if one.head == head))


def pin_findings(pin: TrustPin, vault_id: str, gov: GovernanceState, *, policy_version: int) -> list[Finding]:
    """Return where a bundle's governance contradicts the pin; empty when it begins there and goes on.

    `policy_version` is the highest in force by what the pin has settled.
    """
    if pin.vault_id != vault_id:
        return [_refuse(Code.PIN_MISMATCH, f"the pin is of another vault, `{pin.vault_id}`")]
    if gov.founding != pin.founding:
        words = f"the bundle's founding statement is {gov.founding or 'missing'}, your pin trusts {pin.founding}"
        return [_refuse(Code.PIN_MISMATCH, f"{words}: it brings officers of its own")]
    if len(gov.statements) <= pin.governance.number:
        words = f"the bundle's governance ends at statement {len(gov.statements) - 1}, your pin has seen"
        return [_refuse(Code.GOVERNANCE_ROLLED_BACK, f"{words} {pin.governance.number}: something is hidden from you")]
    there = gov.statements[pin.governance.number]
    if there != pin.governance:
        words = f"governance statement {there.number} is {there.digest} in the bundle, your pin has seen"
        return [_refuse(Code.PIN_MISMATCH, f"{words} {pin.governance.digest}: two histories exist")]
    findings = _checkpoint_findings(pin, gov)
    if policy_version < pin.policy_version:
        words = f"the bundle's policy is version {policy_version}, your pin has seen version {pin.policy_version}"
        findings.append(_refuse(Code.POLICY_VERSION_OLD, words))
    return findings


def _seen_checkpoint(gov: GovernanceState) -> SeenCheckpoint | None:
    newest = newest_checkpoint(gov.checkpoints)
    if newest is None:
        return None
    return SeenCheckpoint(newest.length, newest.head, signers_of(gov.checkpoints, newest.head))


def _checkpoint_findings(pin: TrustPin, gov: GovernanceState) -> list[Finding]:
    seen, newest = pin.checkpoint, newest_checkpoint(gov.checkpoints)
    if seen is None:
        return []
    other = next((one for one in gov.checkpoints if one.length == seen.length and one.head != seen.head), None)
    if other is not None:
        signers = ", ".join(signers_of(gov.checkpoints, other.head))
        words = f"the bundle's checkpoint of {seen.length} entries has head {other.head}, signed by {signers}"
        return [_refuse(Code.JOURNAL_FORK, f"{words}; your pin has seen {seen.words()}: two histories exist")]
    if newest is None or newest.length < seen.length:
        length = "none" if newest is None else f"one of {newest.length} entries"
        words = f"the bundle has {length}: the journal was rolled back, or that signature was false"
        return [_refuse(Code.GOVERNANCE_ROLLED_BACK, f"your pin has seen a checkpoint of {seen.words()}; {words}")]
    return []


def _refuse(code: Code, message: str) -> Finding:
    return Finding(code, Severity.REFUSE, _WHERE, message, DO_NOT_SIGN)
