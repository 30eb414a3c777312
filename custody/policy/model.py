"""A spend policy as values. What is absent is forbidden, 0 is zero, `unlimited` is said in a word.

Each kind of payment has a section of its own; a kind without one is forbidden. Inside a
section nothing is optional, so that no limit is ever missing by accident. `load.py` builds
these, nothing else does; what each field means to an officer stands in
`docs/formats/policy.md`.
"""

import hashlib
from dataclasses import dataclass, field

from custody.documents.canonical_json import parse_json
from custody.errors import JsonValue
from custody.people.quorum import Quorum
from custody.policy.hours import Hours
from custody.policy.limit import Limit

DAY_S = 86_400
WINDOWS = (("day", DAY_S), ("week", 7 * DAY_S), ("month", 30 * DAY_S))
"""Rolling windows by name, with their length."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Who must agree, how long is waited after the last of them, and when signing may begin."""

    approvals: Quorum
    """Empty only where the policy says `none`."""
    waiting: int
    """Seconds between the last approval needed and the first signature."""
    hours: Hours | None
    """None only where the policy says `any`."""


@dataclass(frozen=True, slots=True)
class FeeRules:
    """Three caps on the fee; all of them hold."""

    most: Limit
    """Satoshis."""
    rate: Limit
    """Satoshis per 1,000 virtual bytes."""
    percent: Limit
    """Basis points of what the payees get; without payees, of what comes back to the vault."""


@dataclass(frozen=True, slots=True)
class TransactionRules:
    """What the transaction itself must be like."""

    fee: FeeRules
    confirmations: int
    """Of each coin spent, at least."""
    min_inputs: int
    max_inputs: Limit
    locktime_by_tip: bool
    """Whether the locktime must be a height of at most the tip; else any is fine."""
    must_signal_replacement: bool
    expiry: int
    """Longest life of a proposal, in seconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may leave the vault: payees and fee, per payment and per rolling window."""

    payment: Limit
    day: Limit
    week: Limit
    month: Limit

    def of_window(self, name: str) -> Limit:
        """Return the limit of `day`, `week` or `month`."""
        return {"day": self.day, "week": self.week, "month": self.month}[name]


@dataclass(frozen=True, slots=True)
class Tier:
    """What a payment of up to some amount needs."""

    name: str
    up_to: Limit
    """Payees and fee, in satoshis."""
    consent: Consent


@dataclass(frozen=True, slots=True)
class PaymentSection:
    """Payments to others."""

    tiers: tuple[Tier, ...]
    """From small to large; a payment belongs to the first that is large enough."""
    drafter_approves: bool
    unlisted: str | None
    """Tier that a destination outside the allowlist lifts a payment to, at least; None: denied."""
    limits: Limits
    transaction: TransactionRules

    def tier_named(self, name: str) -> int:
        """Return the place of a tier that exists."""
        return [tier.name for tier in self.tiers].index(name)


@dataclass(frozen=True, slots=True)
class MoveSection:
    """Internal moves, bumps or cancels."""

    consent: Consent
    drafter_approves: bool
    transaction: TransactionRules


@dataclass(frozen=True, slots=True)
class EmergencyPath:
    """A named way out, to a few destinations only, with its own quorum."""

    name: str
    destinations: tuple[str, ...]
    """Names of allowlist entries."""
    consent: Consent
    drafter_approves: bool
    limits: Limits
    transaction: TransactionRules
    while_suspended: bool
    """Whether it stays open while spending is suspended."""


@dataclass(frozen=True, slots=True)
class CoinRules:
    """Rules about coins and addresses."""

    address_cap: Limit
    """Most satoshis that may lie on one address of the vault."""
    address_reuse: bool
    """Whether an own output may pay an address that was paid before."""
    keep_apart: tuple[str, ...]
    """Beginnings of labels; coins under two of them never meet in one transaction."""


@dataclass(frozen=True, slots=True)
class Governance:
    """Who changes officers, policy and allowlist, and lifts a freeze or a suspension."""

    approvals: Quorum
    waiting: int
    """Seconds before a change takes effect unless it is provably no weaker."""
    custodians_attest: bool
    """Whether each key's custodian must attest to hold the whole descriptor before an address is given out."""


@dataclass(frozen=True, slots=True)
class SpendPolicy:
    """Our spend policy. Two are equal when their documents are."""

    name: str
    version: int
    """Rises by one with each adoption."""
    time_zone: str
    governance: Governance
    allowlist_waiting: int
    """Seconds before a new entry of the allowlist is usable."""
    coins: CoinRules
    prove_keys_every: int | None
    """Seconds after which each key should have proven again that it is alive; None where nothing asks for it.
    Never a gate: no payment waits for it."""
    publishes_addresses: bool
    """Whether the reserve's public page may show addresses; else commitments alone."""
    payment: PaymentSection | None
    internal: MoveSection | None
    bump: MoveSection | None
    cancel: MoveSection | None
    emergency: tuple[EmergencyPath, ...]
    canonical: bytes = field(repr=False)
    """RFC 8785 form of the document that it was read from, to the letter: `48h` stays `48h`."""

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical document, lower-case hex: the `policy_digest` of approvals."""
        return hashlib.sha256(self.canonical).hexdigest()

    def to_document(self) -> JsonValue:
        """Return the document that it was read from."""
        return parse_json(self.canonical)

    def path_named(self, name: str) -> EmergencyPath | None:
        """Return the emergency path of this name, None if there is none."""
        return next((path for path in self.emergency if path.name == name), None)
