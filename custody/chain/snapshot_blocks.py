"""Which blocks a snapshot knows: its tip, those of its transactions, and every one whose header it carries."""

from custody.chain.snapshot_file import Snapshot
from custody.ports import Tip


def known_block(snapshot: Snapshot, height: int) -> Tip | None:
    """Return a block below or at the tip, None where the file doesn't name it.

    Its median time is 0 where the file lacks the ten headers before it.
    """
    if height == snapshot.tip.height:
        return snapshot.tip
    chain = None if snapshot.evidence is None else snapshot.evidence.chain
    header = None if chain is None else chain.at(height)
    if chain is not None and header is not None:
        return Tip(height, header.block_hash, chain.median_time_past(height) or 0)
    named = (one.block_hash for one in snapshot.transactions if one.height == height)
    block_hash = next(named, None)
    return None if block_hash is None else Tip(height, block_hash, 0)


def height_in(snapshot: Snapshot, block_hash: str) -> int | None:
    """Return the height of a block that the file names, None for any other."""
    if block_hash == snapshot.tip.block_hash:
        return snapshot.tip.height
    chain = None if snapshot.evidence is None else snapshot.evidence.chain
    if chain is not None:
        for offset, header in enumerate(chain.headers):
            if header.block_hash == block_hash:
                return chain.start + offset
    return next((one.height for one in snapshot.transactions if one.block_hash == block_hash), None)
