"""How young a reserve is: coins that came shortly before the block, and those that left since (A85).

Facts for a reader. A coin is as young as the transaction that made it: a move within the vault makes it young too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.view import SeenCoin
from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint
from custody.spend.utxo import COINBASE_MATURITY

RECENT = (144, 1_008, 4_320)
"""Blocks before the challenge's block: about a day, a week, a month."""
STRIKING_BLOCKS = 1_008
STRIKING_SHARE = 10
"""More than one part in this many of the total that came within STRIKING_BLOCKS is warned of."""


@dataclass(frozen=True, slots=True)
class Inflow:
    """What came within some blocks before the challenge's block."""

    blocks: int
    coins: int
    total: Sats


@dataclass(frozen=True, slots=True)
class ReserveAge:
    """How old the coins were at the challenge's block, and what became of them."""

    inflows: tuple[Inflow, ...]
    oldest: int | None
    """In blocks, of the oldest coin; None without coins."""
    median: int | None
    """Half of the value is in coins at least this old."""
    youngest: int | None
    immature: Sats
    """In coinbases that could not be spent yet at the block."""
    moved_since: Sats
    """In coins that are spent by the newest block."""

    @property
    def striking(self) -> Inflow:
        """The inflow that a warning is about."""
        return next(one for one in self.inflows if one.blocks == STRIKING_BLOCKS)


def age_of(challenge: Challenge, coins: Sequence[SeenCoin], still_unspent: frozenset[OutPoint]) -> ReserveAge:
    """Return the age of `coins`, which were unspent at the challenge's block."""
    ages = sorted(((challenge.height - coin.height, coin.value) for coin in coins), reverse=True)
    return ReserveAge(
        inflows=tuple(
            Inflow(
                blocks,
                sum(1 for age, _value in ages if age < blocks),
                Sats(sum(value for age, value in ages if age < blocks)),
            )
            for blocks in RECENT
        ),
        oldest=ages[0][0] if ages else None,
        median=_median(ages),
        youngest=ages[-1][0] if ages else None,
        immature=Sats(
            sum(one.value for one in coins if one.is_coinbase and challenge.height + 1 - one.height < COINBASE_MATURITY)
        ),
        moved_since=Sats(sum(coin.value for coin in coins if coin.outpoint not in still_unspent)),
    )


def _median(ages: Sequence[tuple[int, Sats]]) -> int | None:
    """Return the age down to which half of the value lies, oldest first."""
    half, seen = sum(value for _age, value in ages), 0
    for age, value in ages:
        seen += 2 * value
        if seen >= half:
            return age
    return None
