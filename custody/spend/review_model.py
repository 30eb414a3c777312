"""What a review is asked, and what it answers, as values.

`ReviewContext` holds everything that the person at the keyboard knows besides the two
files; `ReviewLimits` the bounds of the design, each an option. `Review` is the answer: what
the transaction does, who has signed, and every finding. The JSON form is a contract
(`docs/formats/psbt-review.md`). No chain, workspace or policy is seen here.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from custody.bitcoin.amount import SATS_PER_BTC, FeeRate, Sats
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import OutPoint
from custody.errors import CheckFailed, Finding, JsonValue, Severity, refusals
from custody.spend.progress import SigningProgress
from custody.spend.proof_model import ProofClaim

RELEASE_HEIGHT = 976_000
"""Height of the main chain when this version was released, rounded up."""
RELEASE_TIME = 1_796_000_000
"""Unix seconds of the same moment, rounded up: 2026-11-30."""
BLOCKS_PER_YEAR = 52_560
SECONDS_PER_YEAR = 31_557_600
YEAR_2050_END = 2_556_143_999
"""Unix seconds of 2050-12-31T23:59:59Z."""

_MAX_FEE = Sats(SATS_PER_BTC // 10)
_MAX_FEE_RATE = FeeRate(1_000_000)
_MIN_FEE_RATE = FeeRate(100)
_DUST_INPUT = Sats(1_000)

BRANCH_LABELS = {0: "receive", 1: "change"}


@dataclass(frozen=True, slots=True)
class ReviewLimits:
    """Bounds of a review. The defaults are the design's; each is an option of `psbt review`."""

    change_gap: int = 20
    """An own output further than this above the last used index is warned of."""
    change_limit: int = 10_000
    """An own output further than this above the last used index is refused."""
    search_depth: int = 1_000
    """How far above the last used index outputs without metadata are looked up, on each branch."""
    refuse_fee_percent: int = 10
    warn_fee_percent: int = 5
    max_fee: Sats = _MAX_FEE
    max_fee_rate: FeeRate = _MAX_FEE_RATE
    min_fee_rate: FeeRate = _MIN_FEE_RATE
    lifted_max_fee: Sats | None = None
    """From `--max-fee-sats`: stands in the place of the percentages and of `max_fee`."""
    dust_input: Sats = _DUST_INPUT
    """Inputs below this are warned of, whatever their script."""
    tip_height: int = RELEASE_HEIGHT + 2 * BLOCKS_PER_YEAR
    """A height locktime up to here is a note, above it a warning."""
    lock_time: int = RELEASE_TIME + 2 * SECONDS_PER_YEAR
    """A time locktime (Unix seconds) up to here is a note, above it a warning."""
    max_lock_time: int = YEAR_2050_END
    """A time locktime above this is refused."""


DEFAULT_LIMITS = ReviewLimits()


@dataclass(frozen=True, slots=True)
class ReviewContext:
    """What the reviewer knows besides the PSBT and the vault."""

    limits: ReviewLimits = DEFAULT_LIMITS
    last_used_index: int | None = None
    """Highest index in use on either branch; the inputs' own indexes count where they are larger."""
    expected_txid: str | None = None
    """The unsigned txid that was approved, as displayed."""
    known_addresses: tuple[str, ...] = ()
    """Payees of the past or of an allow-list; each output is compared with them as a whole."""
    earlier: tuple[Psbt, ...] = ()
    """PSBTs that were approved or signed before: this one may not divert what they pay."""
    replaces: frozenset[str] = frozenset()
    """Unsigned txids that this one is meant to replace; a conflict with them is no warning."""
    coins_verified: bool = False
    """The caller has found every input unspent on a chain of its own."""


class Verdict(StrEnum):
    """The review in one word."""

    CLEAN = "clean"
    WARNED = "warned"
    REFUSED = "refused"


class Purpose(StrEnum):
    """What the transaction is for."""

    PAYMENT = "payment"
    PROOF = "proof"
    """Signs a message or proves coins; unspendable beyond doubt (`spend/review_proof.py`), never broadcast."""
    REHEARSAL = "rehearsal"
    """Unspendable beyond doubt (`spend/rehearsal.py`); never finalized, never broadcast."""


class OutputRole(StrEnum):
    """Whose an output is, by derivation alone."""

    CHANGE = "change"
    """Ours, on the change branch."""
    SELF = "self"
    """Ours, on the receive branch."""
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a script of ours stands in the vault."""

    branch: int
    """0 receive, 1 change."""
    index: int

    @property
    def label(self) -> str:
        """The branch by name."""
        return BRANCH_LABELS[self.branch]


@dataclass(frozen=True, slots=True)
class ReviewInput:
    """One input as its full previous transaction shows it."""

    outpoint: OutPoint
    value: Sats | None
    """None where the full previous transaction does not prove it."""
    place: Place | None
    """None unless the proven script is ours."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the form of every `inputs` list."""
        return {
            "txid": self.outpoint.txid,
            "vout": self.outpoint.vout,
            "value_sats": self.value,
            "ours": self.place is not None,
            "branch": self.place.label if self.place else None,
            "index": self.place.index if self.place else None,
        }


@dataclass(frozen=True, slots=True)
class ReviewOutput:
    """One output as the vault's own derivation shows it."""

    value: Sats
    script_pubkey: bytes
    address: str | None
    """None for scripts without one."""
    place: Place | None

    @property
    def role(self) -> OutputRole:
        """Whose it is."""
        if self.place is None:
            return OutputRole.EXTERNAL
        return OutputRole.CHANGE if self.place.branch == 1 else OutputRole.SELF

    def to_json(self) -> dict[str, JsonValue]:
        """Return the form of the review's `outputs` list."""
        return {
            "address": self.address,
            "value_sats": self.value,
            "kind": str(self.role),
            "branch": self.place.label if self.place else None,
            "index": self.place.index if self.place else None,
        }


@dataclass(frozen=True, slots=True)
class Review:
    """What a PSBT really does, and everything that is wrong with it or worth saying."""

    network: Network
    unsigned_txid: str
    inputs: tuple[ReviewInput, ...]
    outputs: tuple[ReviewOutput, ...]
    vsize: int
    """Virtual bytes with the largest possible signatures."""
    signing: SigningProgress
    findings: tuple[Finding, ...]
    """Refusing ones first, then warnings, then notes; in each the order of the checks."""
    purpose: Purpose = Purpose.PAYMENT
    proof: ProofClaim | None = None
    """What is signed where the purpose is a proof."""

    @property
    def input_total(self) -> int | None:
        """Sum of the inputs, None unless every one is proven."""
        values = [entry.value for entry in self.inputs]
        return None if None in values else sum(value for value in values if value is not None)

    @property
    def output_total(self) -> int:
        """Sum of all outputs."""
        return sum(output.value for output in self.outputs)

    @property
    def external_total(self) -> int:
        """What leaves the vault, fee left out."""
        return sum(output.value for output in self.outputs if output.place is None)

    @property
    def returned_total(self) -> int:
        """What comes back to the vault."""
        return self.output_total - self.external_total

    @property
    def fee(self) -> int | None:
        """Inputs less outputs, in satoshis (negative if a forger says so); None where an input is not proven.

        A proof pays no fee, whatever its outputs leave over: it is never mined.
        """
        total = self.input_total
        if self.purpose is Purpose.PROOF:
            return 0
        return None if total is None else total - self.output_total

    @property
    def fee_rate_sat_vb(self) -> Decimal | None:
        """Fee per virtual byte, for people and scripts to read, rounded down to three decimals."""
        if self.fee is None or self.vsize <= 0:
            return None
        return Decimal(self.fee * 1000 // self.vsize) / 1000

    @property
    def verdict(self) -> Verdict:
        """Refused if any finding refuses, warned if any warns, else clean."""
        severities = {finding.severity for finding in self.findings}
        if Severity.REFUSE in severities:
            return Verdict.REFUSED
        return Verdict.WARNED if Severity.WARN in severities else Verdict.CLEAN

    def to_json(self) -> "dict[str, JsonValue | Decimal]":
        """Return the answer of `psbt review`."""
        return {
            "verdict": str(self.verdict),
            "purpose": str(self.purpose),
            "proof": None if self.proof is None else self.proof.to_json(),
            "network": str(self.network),
            "unsigned_txid": self.unsigned_txid,
            "inputs": [entry.to_json() for entry in self.inputs],
            "outputs": [output.to_json() for output in self.outputs],
            "fee_sats": self.fee,
            "fee_rate_sat_vb": self.fee_rate_sat_vb,
            "signing": self.signing.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
        }


def in_order_of_weight(findings: "list[Finding] | tuple[Finding, ...]") -> tuple[Finding, ...]:
    """Return the findings, refusing ones first, otherwise in their order."""
    weight = {Severity.REFUSE: 0, Severity.WARN: 1, Severity.NOTE: 2}
    return tuple(sorted(findings, key=lambda finding: weight[finding.severity]))


def require_clean(review: Review) -> None:
    """Demand that nothing in the review refuses; warnings are the caller's to have acknowledged.

    Raises:
        CheckFailed: with the first refusing finding's code, all findings in the details.
    """
    refused = refusals(review.findings)
    if not refused:
        return
    first = refused[0]
    raise CheckFailed(
        first.code,
        f"{first.message} ({first.where})",
        advice=first.advice,
        details={
            "unsigned_txid": review.unsigned_txid,
            "findings": [finding.to_json() for finding in review.findings],
        },
    )
