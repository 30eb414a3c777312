"""What the policy is asked about, and what it is told of the past: facts, never judgements.

Whoever builds these derives them from a PSBT's bytes, the descriptor and the journal. Times
are Unix seconds of the chain's median time past (BIP 113), which the caller keeps from ever
falling; the engine has no clock. Amounts are satoshis.
"""

from dataclasses import dataclass

from custody.bitcoin.amount import Sats
from custody.spend.proposal import ProposalKind


@dataclass(frozen=True, slots=True)
class PayeeFact:
    """One output that leaves the vault."""

    address: str
    value: Sats
    entry: str | None = None
    """Name of the allowlist entry that covers the address (by address or by descriptor), None if none does."""
    usable_from: int | None = None
    """When that entry's waiting time is over; None without an entry."""


@dataclass(frozen=True, slots=True)
class OwnOutputFact:
    """One output that comes back to the vault."""

    address: str
    value: Sats
    was_used: bool
    """Whether the address was paid before."""
    balance_after: Sats
    """What will lie on the address once the transaction confirms, this output included."""


@dataclass(frozen=True, slots=True)
class InputFact:
    """One coin that is spent."""

    outpoint: str
    value: Sats
    confirmations: int
    label: str | None
    is_frozen: bool


@dataclass(frozen=True, slots=True)
class ApprovalFact:
    """A valid approval of this very request by an officer who may still give it."""

    officer: str
    roles: frozenset[str]
    time: int
    """Median time past at its journal entry."""


@dataclass(frozen=True, slots=True)
class SpendRequest:
    """The transaction that the policy is asked about."""

    kind: ProposalKind
    path: str | None
    """Name of the emergency path that it goes by, None for the ordinary ones."""
    payees: tuple[PayeeFact, ...]
    own_outputs: tuple[OwnOutputFact, ...]
    inputs: tuple[InputFact, ...]
    fee: Sats
    vsize: int
    """Virtual bytes with the largest signatures."""
    locktime: int
    signals_replacement: bool
    """Whether every input signals replacement (BIP 125)."""
    expires: int
    drafter: str | None
    """Officer whose signed propose it carries; None while nobody signed one."""
    group: str
    """Names the set of proposals that replace one another; at most one of a set can confirm."""
    replaced_fee: Sats | None = None
    """bump and cancel: the fee of the proposal that it replaces."""
    replaced_was_approved: bool = False
    """bump: whether what it replaces pays the same payees and was signed under its own approvals.

    Unless it was, a bump needs what the payment itself needs too: else a payment that nobody approved
    would leave by the bump's smaller quorum.
    """
    signing_began: bool = False
    """Whether a device signature is recorded already: waiting time, hours and approvals then stand as they stood."""

    @property
    def external_total(self) -> int:
        """What the payees get."""
        return sum(payee.value for payee in self.payees)

    @property
    def amount(self) -> int:
        """What leaves the vault: payees and fee. Limits and tiers count this."""
        return self.external_total + self.fee


@dataclass(frozen=True, slots=True)
class SpendRecord:
    """Another proposal of the vault, as far as a rolling window counts it."""

    group: str
    amount: int
    """Payees and fee."""
    since: int
    """Time of its first approval; a proposal without one isn't in the history."""
    ended: int | None
    """Time of its first block, or of its death; None while it lives."""


@dataclass(frozen=True, slots=True)
class OutflowRecord:
    """An outflow that no proposal explains, accepted by somebody or not."""

    amount: int
    time: int


@dataclass(frozen=True, slots=True)
class OfficerFact:
    """An officer in force now."""

    name: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class History:
    """What the journal says at the head at which the decision is made."""

    now: int
    """Median time past, the highest ever seen."""
    tip_height: int
    officers: tuple[OfficerFact, ...] = ()
    approvals: tuple[ApprovalFact, ...] = ()
    """Of this request alone."""
    spends: tuple[SpendRecord, ...] = ()
    """Every other proposal that counts or counted; the request itself is not among them, its group's others are."""
    outflows: tuple[OutflowRecord, ...] = ()
    suspended_by: str | None = None
    """Who suspended spending; None while it isn't."""
