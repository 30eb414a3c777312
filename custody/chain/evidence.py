"""Gather the evidence for a snapshot: the blocks of its transactions, and if wanted every header up to the tip.

What is gathered is checked as a reader will check it, before it is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from custody.bitcoin.block import BlockHeader
from custody.bitcoin.block_evidence import ChainEvidence, HeaderChain, ProvenBlock
from custody.bitcoin.merkle import branch_of
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainTransaction, Progress, Tip

_HEADERS_PER_STEP = 2_000


@dataclass(frozen=True, slots=True)
class BlockParts:
    """What a proof needs of one block."""

    header: BlockHeader
    txids: tuple[str, ...]
    """As displayed, in the block's order."""
    coinbase: Transaction


class EvidenceSource(Protocol):
    """A view of the chain that has whole blocks."""

    def block_parts(self, block_hash: str) -> BlockParts:
        """Return what a proof needs of a block; raises `ChainUnavailable` where it can't be had."""
        ...

    def headers(self, start: int, count: int) -> Sequence[BlockHeader]:
        """Return the active chain's headers from `start` on."""
        ...


def take_evidence(
    source: EvidenceSource,
    transactions: Sequence[ChainTransaction],
    tip: Tip,
    *,
    up_to_tip: bool,
    progress: Progress,
) -> ChainEvidence:
    """Return the evidence for every transaction in a block; with every header to the tip where `up_to_tip`.

    Raises:
        ChainUnavailable: a block or header can't be had.
    """
    by_block: dict[tuple[int, str], list[str]] = {}
    for one in transactions:
        if one.height is not None and one.block_hash is not None:
            by_block.setdefault((one.height, one.block_hash), []).append(one.transaction.txid)
    blocks = []
    for done, ((height, block_hash), txids) in enumerate(sorted(by_block.items()), 1):
        blocks.append(_proven(source.block_parts(block_hash), height, txids))
        progress("proving transactions", done, len(by_block))
    first = blocks[0].height if blocks else tip.height
    return ChainEvidence(tuple(blocks), _chain(source, first, tip, progress) if up_to_tip else None)


def _proven(parts: BlockParts, height: int, wanted: Sequence[str]) -> ProvenBlock:
    places = {txid: position for position, txid in enumerate(parts.txids)}
    missing = [txid for txid in wanted if txid not in places]
    if missing:
        raise ChainUnavailable(
            Code.NODE_BUSY,
            f"transaction `{missing[0]}` is no longer in the block at height {height}",
            advice="The chain was reorganized meanwhile: run the command again.",
        )
    hashes = [bytes.fromhex(txid)[::-1] for txid in parts.txids]
    return ProvenBlock(
        height,
        parts.header,
        Transaction.parse_without_witness(parts.coinbase.serialize_without_witness()),
        branch_of(hashes, 0),
        {txid: branch_of(hashes, places[txid]) for txid in sorted(wanted)},
    )


def _chain(source: EvidenceSource, start: int, tip: Tip, progress: Progress) -> HeaderChain:
    headers: list[BlockHeader] = []
    total = tip.height + 1 - start
    while len(headers) < total:
        headers += source.headers(start + len(headers), min(_HEADERS_PER_STEP, total - len(headers)))
        progress("reading block headers", len(headers), total)
    return HeaderChain(start, tuple(headers))
