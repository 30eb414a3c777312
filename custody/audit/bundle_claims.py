"""What a bundle says and nobody can check offline: the chain, labels, and the other payments of the vault.

Each of these is the word of whoever made the bundle. They are kept apart from everything that is
verified, so that a reader sees at one place what an edited bundle could make a review believe:
never whom it pays, how much, at what fee, who approved, or under which policy.
"""

from dataclasses import dataclass

from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint
from custody.errors import JsonValue
from custody.policy.facts import OutflowRecord, SpendRecord
from custody.spend.document import (
    boolean_of,
    fields_of,
    hash_of,
    integer_of,
    list_of,
    malformed,
    optional_of,
    outpoint_of,
    sats_of,
    text_of,
)

MAX_TIME = 2**32 - 1
"""A block's time has 32 bits."""


@dataclass(frozen=True, slots=True)
class CoinClaim:
    """What is said of one coin that is spent, besides its value, which the PSBT proves."""

    outpoint: OutPoint
    confirmations: int
    label: str | None
    is_frozen: bool

    def to_document(self) -> dict[str, JsonValue]:
        """Return the claim as it stands in a bundle."""
        return {
            "outpoint": str(self.outpoint),
            "confirmations": self.confirmations,
            "label": self.label,
            "frozen": self.is_frozen,
        }


@dataclass(frozen=True, slots=True)
class OwnAddressClaim:
    """What is said of an address of ours that is paid."""

    address: str
    was_used: bool
    balance_after: Sats
    """Never believed below what this very transaction pays there."""

    def to_document(self) -> dict[str, JsonValue]:
        """Return the claim as it stands in a bundle."""
        return {"address": self.address, "was_used": self.was_used, "balance_after_sats": self.balance_after}


@dataclass(frozen=True, slots=True)
class StartClaim:
    """When devices are said to have begun to sign: believed only beside a verified signature in the PSBT."""

    position: int
    """Entry of the journal."""
    time: int
    """The chain's median time past there, Unix seconds."""

    def to_document(self) -> dict[str, JsonValue]:
        """Return the claim as it stands in a bundle."""
        return {"position": self.position, "time": self.time}


@dataclass(frozen=True, slots=True)
class Claims:
    """Everything in a bundle that only its maker says."""

    height: int
    block_hash: str
    """As displayed."""
    time: int
    """The chain's median time past, Unix seconds."""
    coins: tuple[CoinClaim, ...]
    own_addresses: tuple[OwnAddressClaim, ...]
    """Each once."""
    spends: tuple[SpendRecord, ...]
    """The other payments that the policy's windows count."""
    outflows: tuple[OutflowRecord, ...]
    signing_start: StartClaim | None = None

    def __post_init__(self) -> None:
        if len({one.outpoint for one in self.coins}) != len(self.coins):
            raise malformed("the claims name a coin twice")
        if len({one.address for one in self.own_addresses}) != len(self.own_addresses):
            raise malformed("the claims name an address twice")
        if self.signing_start is not None and self.signing_start.time > self.time:
            raise malformed("devices are said to have signed after the tip")

    def to_document(self) -> dict[str, JsonValue]:
        """Return the claims as they stand in a bundle."""
        return {
            "tip": {"height": self.height, "hash": self.block_hash, "median_time_past": self.time},
            "coins": [one.to_document() for one in self.coins],
            "own_addresses": [one.to_document() for one in self.own_addresses],
            "spends": [
                {"group": one.group, "amount_sats": one.amount, "since": one.since, "ended": one.ended}
                for one in self.spends
            ],
            "outflows": [{"amount_sats": one.amount, "time": one.time} for one in self.outflows],
            "signing_start": None if self.signing_start is None else self.signing_start.to_document(),
        }

    @classmethod
    def from_document(cls, value: JsonValue) -> "Claims":
        """Read the claims, strictly.

        Raises:
            InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD.
        """
        found = fields_of(value, "claims", _KEYS)
        tip = fields_of(found["tip"], "claims.tip", ("height", "hash", "median_time_past"))
        return cls(
            height=integer_of(tip["height"], "claims.tip.height"),
            block_hash=hash_of(tip["hash"], "claims.tip.hash"),
            time=time_of(tip["median_time_past"], "claims.tip.median_time_past"),
            coins=list_of(_coin_of, found["coins"], "claims.coins"),
            own_addresses=list_of(_own_address_of, found["own_addresses"], "claims.own_addresses"),
            spends=list_of(_spend_of, found["spends"], "claims.spends"),
            outflows=list_of(_outflow_of, found["outflows"], "claims.outflows"),
            signing_start=optional_of(_start_of, found["signing_start"], "claims.signing_start"),
        )


_KEYS = ("tip", "coins", "own_addresses", "spends", "outflows", "signing_start")


def time_of(value: JsonValue, what: str) -> int:
    """Return Unix seconds of a block's median time past."""
    seconds = integer_of(value, what)
    if seconds > MAX_TIME:
        raise malformed(f"{what} is no time that a block can have")
    return seconds


def _coin_of(value: JsonValue, what: str) -> CoinClaim:
    found = fields_of(value, what, ("outpoint", "confirmations", "label", "frozen"))
    return CoinClaim(
        outpoint=outpoint_of(found["outpoint"], f"{what}.outpoint"),
        confirmations=integer_of(found["confirmations"], f"{what}.confirmations"),
        label=optional_of(text_of, found["label"], f"{what}.label"),
        is_frozen=boolean_of(found["frozen"], f"{what}.frozen"),
    )


def _own_address_of(value: JsonValue, what: str) -> OwnAddressClaim:
    found = fields_of(value, what, ("address", "was_used", "balance_after_sats"))
    return OwnAddressClaim(
        address=text_of(found["address"], f"{what}.address"),
        was_used=boolean_of(found["was_used"], f"{what}.was_used"),
        balance_after=sats_of(found["balance_after_sats"], f"{what}.balance_after_sats"),
    )


def _spend_of(value: JsonValue, what: str) -> SpendRecord:
    found = fields_of(value, what, ("group", "amount_sats", "since", "ended"))
    return SpendRecord(
        group=hash_of(found["group"], f"{what}.group"),
        amount=integer_of(found["amount_sats"], f"{what}.amount_sats"),
        since=time_of(found["since"], f"{what}.since"),
        ended=optional_of(time_of, found["ended"], f"{what}.ended"),
    )


def _outflow_of(value: JsonValue, what: str) -> OutflowRecord:
    found = fields_of(value, what, ("amount_sats", "time"))
    return OutflowRecord(
        integer_of(found["amount_sats"], f"{what}.amount_sats"), time_of(found["time"], f"{what}.time")
    )


def _start_of(value: JsonValue, what: str) -> StartClaim:
    found = fields_of(value, what, ("position", "time"))
    return StartClaim(integer_of(found["position"], f"{what}.position"), time_of(found["time"], f"{what}.time"))
