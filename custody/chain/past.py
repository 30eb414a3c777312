"""What every answer about a past block has in common: an order, and a refusal of blocks that are not there."""

from collections.abc import Iterable

from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainCoin


def in_order(coins: Iterable[ChainCoin]) -> tuple[ChainCoin, ...]:
    """Return the coins in the order of their heights and outpoints."""
    return tuple(sorted(coins, key=lambda coin: (coin.height or 0, coin.outpoint.txid, coin.outpoint.vout)))


def require_block(height: int, tip_height: int) -> None:
    """Demand that the chain has come so far.

    Raises:
        ChainUnavailable: BLOCK_UNKNOWN.
    """
    if not 0 <= height <= tip_height:
        raise ChainUnavailable(
            Code.BLOCK_UNKNOWN,
            f"there is no block {height}: the newest one is {tip_height}",
            advice="Ask for a block that exists, or wait until this view of the chain has come so far.",
        )
