"""Which block a date or a hash means on the chain that a backend follows.

The rule for a time: the last block whose median time past (BIP 113) is not later. The median never falls along
a chain, so the answer stays the same for ever, and nobody's clock is asked. A time that the chain has not passed
yet has no answer: another such block could still come.
"""

from collections.abc import Callable

from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainBackend
from custody.workflow.clock import rfc3339

TIME_RULE = "the last block whose median time past is not later than that time"


def height_of_block(backend: ChainBackend, block_hash: str) -> int:
    """Return the height of a block of the active chain.

    Raises:
        ChainUnavailable: BLOCK_UNKNOWN.
    """
    height = backend.height_of(block_hash)
    if height is None:
        raise ChainUnavailable(
            Code.BLOCK_UNKNOWN,
            f"block `{block_hash}` is not on the chain that is asked",
            advice="Check the hash; a block that lost against another one has no balance.",
        )
    return height


def height_at_time(backend: ChainBackend, unix_time: int) -> int:
    """Return the height of the last block whose median time past is at most `unix_time`.

    Raises:
        ChainUnavailable: BLOCK_UNKNOWN before the first block or where the chain has not passed that time;
            SYNC_INCOMPLETE where a snapshot doesn't know the times of its blocks.
    """
    tip = backend.tip()
    if tip.median_time_past <= unix_time:
        raise ChainUnavailable(
            Code.BLOCK_UNKNOWN,
            f"the chain has not passed {rfc3339(unix_time)}: its newest median time is {rfc3339(tip.median_time_past)}",
            advice="Wait until a block with a later median time has been found, then ask again.",
        )
    # A snapshot may lack the times of its oldest blocks: those lie before every one that it knows.
    found = _last(lambda height: (_time_of(backend, height) or 0) <= unix_time, tip.height)
    if found is None:
        raise ChainUnavailable(
            Code.BLOCK_UNKNOWN,
            f"no block of this chain is as old as {rfc3339(unix_time)}",
            advice="Ask for a later time.",
        )
    if _time_of(backend, found) is None:
        raise ChainUnavailable(
            Code.SYNC_INCOMPLETE,
            f"the snapshot does not know the time of block {found}",
            advice="Ask by --height or --block, ask a node, or have the snapshot written with headers.",
        )
    return found


def _last(is_so: Callable[[int], bool], above: int) -> int | None:
    """Return the highest number below `above` for which it is so, None if there is none; it never becomes so again."""
    low, high = -1, above
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_so(middle) else (low, middle)
    return None if low < 0 else low


def _time_of(backend: ChainBackend, height: int) -> int | None:
    """Return the median time past of a block, None where a snapshot doesn't know it."""
    try:
        block = backend.block_at(height)
    except ChainUnavailable as error:
        if error.code is Code.SYNC_INCOMPLETE:
            return None
        raise
    if block is None:
        raise ChainUnavailable(
            Code.NODE_BUSY, "the chain became shorter while it was asked", advice="Try again in a minute."
        )
    return block.median_time_past or None
