"""What every answer about a past block has in common: how later blocks are undone, and which blocks there are."""

from collections.abc import Iterable, Sequence

from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainCoin


def held_after(height: int, now: Iterable[ChainCoin], spent: Iterable[tuple[int, ChainCoin]]) -> tuple[ChainCoin, ...]:
    """Return the coins right after the block at `height`, in the order of their heights and outpoints.

    `now` are today's unspent outputs, `spent` those that blocks since have spent, each with its spender's height.
    """
    held = {coin.outpoint: coin for coin in now if _existed(coin, height)}
    held.update((coin.outpoint, coin) for by, coin in spent if by > height and _existed(coin, height))
    return tuple(sorted(held.values(), key=lambda coin: (coin.height or 0, coin.outpoint.txid, coin.outpoint.vout)))


def _existed(coin: ChainCoin, height: int) -> bool:
    return coin.height is not None and coin.height <= height


def require_blocks(heights: Sequence[int], tip_height: int) -> None:
    """Demand that the chain has come so far.

    Raises:
        ChainUnavailable: BLOCK_UNKNOWN.
    """
    for height in heights:
        if not 0 <= height <= tip_height:
            raise ChainUnavailable(
                Code.BLOCK_UNKNOWN,
                f"there is no block {height}: the newest one is {tip_height}",
                advice="Ask for a block that exists, or wait until this view of the chain has come so far.",
            )
