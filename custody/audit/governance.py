"""Who may do what, as the journal says it: officers, policy, allowlist, suspension, changes on their way.

Values only; `fold_governance.py` is the one way in which they come about. Before the founding
everything is empty but the officers that were named for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from custody.people.allowlist import AllowEntry
from custody.people.change import Change
from custody.people.officer import Officer
from custody.people.statement import GovernanceRef
from custody.policy.model import SpendPolicy


class ChangeStatus(StrEnum):
    """Where a change stands."""

    PENDING = "pending"
    WAITING = "waiting"
    """Its quorums are complete; its waiting time runs, and one officer of the rule can veto it."""
    IN_FORCE = "in-force"
    STALE = "stale"
    """Another change took its number, or what it builds on is gone: propose it again."""
    VETOED = "vetoed"
    REJECTED = "rejected"
    """So many refused it that its quorum can't be reached any more."""


@dataclass(frozen=True, slots=True)
class ChangeSignature:
    """An officer's valid signature for or against a change."""

    officer: str
    approves: bool
    seq: int


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """All that the journal says of one change."""

    change: Change
    seq: int
    status: ChangeStatus = ChangeStatus.PENDING
    signatures: tuple[ChangeSignature, ...] = ()
    """One of each officer; a refusal is final, so that an earlier approval can't be put after it again."""
    effective_from: int | None = None
    """When its waiting time is over: Unix seconds of the chain's median time; None before its quorums."""
    decided_seq: int | None = None
    """Entry that completed its quorums, or ended it."""

    @property
    def approvers(self) -> tuple[str, ...]:
        """The officers who approve it, in the order of signing."""
        return tuple(one.officer for one in self.signatures if one.approves)

    @property
    def refusers(self) -> tuple[str, ...]:
        """The officers who refuse it."""
        return tuple(one.officer for one in self.signatures if not one.approves)


@dataclass(frozen=True, slots=True)
class Allowed:
    """An allowlist entry in force."""

    entry: AllowEntry
    usable_from: int
    """Unix seconds of the chain's median time."""
    seq: int


@dataclass(frozen=True, slots=True)
class Attested:
    """A custodian's signed word that they hold the whole descriptor."""

    cosigner: str
    officer: str
    key: bytes
    """Blob of the officer's key: a name that is enrolled anew attests anew."""
    seq: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head of the journal that an officer signed."""

    officer: str
    length: int
    """Entries up to and with the head."""
    head: str
    time: str
    signature: str
    seq: int


@dataclass(frozen=True, slots=True)
class Disregarded:
    """An entry that claims authority and has none: it counts for nothing, and is shown."""

    seq: int
    words: str


@dataclass(frozen=True, slots=True)
class GovernanceState:
    """The governance after the entries so far."""

    statements: tuple[GovernanceRef, ...] = ()
    """Every statement whose quorums were complete, and every veto, by number; empty before the founding."""
    named: Mapping[str, Officer] = field(default_factory=dict)
    """Officers named for a founding to come: no authority."""
    officers: Mapping[str, Officer] = field(default_factory=dict)
    """In force, by name."""
    enrolled_keys: Mapping[bytes, str] = field(default_factory=dict)
    """Every key that was ever enrolled, by its blob, with the officer's name: none comes a second time."""
    revoked_at: Mapping[bytes, int] = field(default_factory=dict)
    """Entry at which a key's enrolment ended."""
    policy: SpendPolicy | None = None
    policies: Mapping[str, SpendPolicy] = field(default_factory=dict)
    """Every policy that was ever in force, by its digest: what was drafted under one is judged by it."""
    founded_seq: int | None = None
    """Entry that completed the founding."""
    highest_version: int = 0
    allowlist: Mapping[str, Allowed] = field(default_factory=dict)
    suspended_by: str | None = None
    changes: Mapping[str, ChangeRecord] = field(default_factory=dict)
    """By change_id, in the order of their proposal."""
    attested: Mapping[str, Attested] = field(default_factory=dict)
    """By cosigner."""
    checkpoints: tuple[Checkpoint, ...] = ()
    time: int = 0
    """Highest median time past that any entry saw, Unix seconds; it never falls."""
    disregarded: tuple[Disregarded, ...] = ()

    @property
    def is_founded(self) -> bool:
        """Whether officers and a policy are in force."""
        return bool(self.statements)

    @property
    def founding(self) -> str | None:
        """Digest of the founding statement."""
        return self.statements[0].digest if self.statements else None

    @property
    def head(self) -> GovernanceRef | None:
        """The newest statement."""
        return self.statements[-1] if self.statements else None

    @property
    def next_number(self) -> int:
        """Number of the next statement."""
        return len(self.statements)

    def knows(self, ref: GovernanceRef) -> bool:
        """Tell whether a statement of this chain has this number and digest."""
        return ref.number < len(self.statements) and self.statements[ref.number] == ref

    def officer_with(self, role: str) -> tuple[str, ...]:
        """Return the names of the officers in force with a role."""
        return tuple(name for name, one in self.officers.items() if role in one.roles)
