"""Coins of the vault: unspent outputs with all that decides whether a payment may use them.

A coin is a value; who may spend it follows from the journal (frozen, set aside, reserved)
and from the chain (depth, coinbase, a spend that waits in the mempool). `hold_reasons` is
the one place that says why a coin is held back. Nothing here looks anything up.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code

COINBASE_MATURITY = 100
"""Confirmations after which consensus lets the next block spend a coinbase output."""

CONFIRMED_DEPTH = 6
"""Confirmed is six deep unless the caller asks otherwise; change of our own the same."""


class HoldReason(StrEnum):
    """Why coin selection leaves a coin alone; each has its error code for a coin asked for by name."""

    SPENT = "spent"
    FROZEN = "frozen"
    RESERVED = "reserved"
    IMMATURE = "immature"
    SET_ASIDE = "set-aside"
    UNCONFIRMED = "unconfirmed"
    UNECONOMIC = "uneconomic"

    @property
    def code(self) -> Code:
        """The code of the refusal when such a coin is asked for by name."""
        return {
            HoldReason.SPENT: Code.COIN_SPENT,
            HoldReason.FROZEN: Code.COIN_FROZEN,
            HoldReason.RESERVED: Code.COIN_RESERVED,
            HoldReason.IMMATURE: Code.COIN_IMMATURE,
            HoldReason.SET_ASIDE: Code.COIN_SET_ASIDE,
            HoldReason.UNCONFIRMED: Code.COIN_UNCONFIRMED,
            HoldReason.UNECONOMIC: Code.DUST_INPUT,
        }[self]


LIFTED_BY_NAME = frozenset({HoldReason.UNCONFIRMED, HoldReason.SET_ASIDE, HoldReason.UNECONOMIC})
"""What naming a coin overrides. A freeze is somebody's decision and is lifted by `coins unfreeze` alone,
a reservation by `--replaces` alone, immaturity and a spend by nothing. A coin that is both set aside and
in no block stays held: an advertiser's unconfirmed chain can pin a payment."""


@dataclass(frozen=True, slots=True)
class Coin:
    """An output of the vault that no block spends."""

    outpoint: OutPoint
    value: Sats
    script_pubkey: bytes
    branch: int
    """0 receive, 1 change."""
    index: int
    height: int | None
    """Height of its block; None while it waits in a mempool."""
    block_hash: str | None
    is_coinbase: bool
    label: str | None = None
    is_frozen: bool = False
    is_set_aside: bool = False
    """Small and announced by nobody: left alone until somebody takes it in by name."""
    reserved_by: tuple[str, ...] = ()
    """Proposal ids that hold this coin, in the journal's order."""
    spent_by: str | None = None
    """Txid of a transaction that spends it and is in no block yet."""

    def confirmations(self, tip_height: int) -> int:
        """Return how many blocks hold the coin, its own included; 0 while it is in none."""
        return 0 if self.height is None else max(0, tip_height - self.height + 1)

    def is_confirmed(self, tip_height: int, depth: int = CONFIRMED_DEPTH) -> bool:
        """Say whether the coin is `depth` deep."""
        return self.confirmations(tip_height) >= depth

    def is_mature(self, tip_height: int) -> bool:
        """Say whether consensus lets the next block spend it."""
        return not self.is_coinbase or self.confirmations(tip_height) >= COINBASE_MATURITY

    def hold_reasons(
        self, tip_height: int, *, depth: int = CONFIRMED_DEPTH, replaced: Collection[str] = ()
    ) -> tuple[HoldReason, ...]:
        """Return every reason to leave the coin alone, the weightiest first; empty means spendable.

        `replaced` are the proposal ids and txids whose claim on the coin is given up (`--replaces`).
        """
        held = {
            HoldReason.SPENT: self._is_spent(replaced),
            HoldReason.FROZEN: self.is_frozen,
            HoldReason.RESERVED: any(holder not in replaced for holder in self.reserved_by),
            HoldReason.IMMATURE: not self.is_mature(tip_height),
            HoldReason.SET_ASIDE: self.is_set_aside,
            HoldReason.UNCONFIRMED: not self.is_confirmed(tip_height, depth),
        }
        return tuple(reason for reason, applies in held.items() if applies)

    def refusals_by_name(
        self, tip_height: int, *, depth: int = CONFIRMED_DEPTH, replaced: Collection[str] = ()
    ) -> tuple[HoldReason, ...]:
        """Return the reasons that hold even when the coin is asked for by name."""
        reasons = self.hold_reasons(tip_height, depth=depth, replaced=replaced)
        if self.is_set_aside and self.height is None:
            return reasons
        return tuple(reason for reason in reasons if reason not in LIFTED_BY_NAME)

    def _is_spent(self, replaced: Collection[str]) -> bool:
        # The outputs of a transaction that is being replaced vanish with it.
        if self.outpoint.txid in replaced:
            return True
        return self.spent_by is not None and self.spent_by not in replaced


def outpoint_order(coin: Coin) -> tuple[str, int]:
    """Sort key that depends on nothing but the coin's place on the chain."""
    return coin.outpoint.txid, coin.outpoint.vout


def total(coins: Iterable[Coin]) -> Sats:
    """Return the sum of the coins' values."""
    return Sats(sum(coin.value for coin in coins))
