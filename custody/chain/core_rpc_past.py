"""What given scripts held at a past block: today's unspent outputs with every later block undone.

No wallet is asked, so it stands beside what a wallet remembers. The search of the UTXO set says at which
block it was made. From there the chain is followed back to the block asked for by the headers' own hashes, so
that a chain that changes meanwhile can't be mixed into an answer. Each later block then gives back the outputs
that it spent (`getblock` with previous outputs, which the node reads from its undo files).

A block whose transactions don't make its merkle root is refused. Where the node keeps compact block filters it
is asked which blocks can matter; a filter that misses a block known to hold a coin isn't believed, and every
block is read. Source: Bitcoin Core's help of `scantxoutset`, `scanblocks` and `getblock`; BIP 158.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from custody.bitcoin.block import merkle_root
from custody.chain.answers import (
    as_bytes,
    as_flag,
    as_hash,
    as_header,
    as_integer,
    as_list,
    as_object,
    as_outpoint,
    as_sats,
    as_transaction,
    taken,
)
from custody.chain.core_rpc_scan import run_search, search_unspent
from custody.chain.json_rpc import JsonRpc, RpcRefused, RpcValue, invalid_answer
from custody.chain.past import held_after, require_blocks
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainCoin, Progress

_BLOCK_TIMEOUT_S = 600
_WITH_PREVIOUS_OUTPUTS = 3
"""Verbosity of `getblock`."""
_HEADERS_PER_STEP = 2_000


@dataclass(frozen=True, slots=True)
class _Link:
    """One block of the chain that was followed."""

    height: int
    block_hash: str
    merkle_root: bytes


def coins_after(
    node: JsonRpc, scripts: frozenset[bytes], heights: Sequence[int], lowest: int, progress: Progress
) -> list[tuple[str, tuple[ChainCoin, ...]]] | None:
    """Return for each height its block's hash and the scripts' coins right after it; None if the chain changed.

    `lowest` is the first block that the node still has.

    Raises:
        ChainUnavailable: BLOCK_UNKNOWN above the tip, PRUNED_BELOW_BIRTH where a later block is gone, and
            NODE_ANSWER_INVALID for a block that is not what its header commits to.
    """
    first = min(heights)
    require_blocks(heights, as_integer(node.call("getblockcount"), "getblockcount"))
    if first + 1 < lowest:
        raise _pruned(first, lowest)
    tip_hash, tip_height, now = search_unspent(node, scripts, progress)
    require_blocks(heights, tip_height)
    chain = _links(node, first, tip_height, progress)
    if chain is None or chain[-1].block_hash != tip_hash:
        return None
    spent: list[tuple[int, ChainCoin]] = []
    worth_reading = _worth_reading(node, scripts, now, chain[1:], progress)
    for number, link in enumerate(worth_reading, 1):
        spent += [(link.height, coin) for coin in _spent_in(node, link, scripts)]
        progress("undoing blocks", number, len(worth_reading))
    if as_hash(node.call("getblockhash", [tip_height]), "getblockhash") != tip_hash:
        return None
    return [(chain[height - first].block_hash, held_after(height, now, spent)) for height in heights]


def _links(node: JsonRpc, first: int, last: int, progress: Progress) -> list[_Link] | None:
    """Return the blocks from `first` to `last`, each the parent of the next by its hash; None if they are not."""
    chain: list[_Link] = []
    for start in range(first, last + 1, _HEADERS_PER_STEP):
        asked = range(start, min(start + _HEADERS_PER_STEP, last + 1))
        hashes = [taken(one) for one in node.batch("getblockhash", ([height] for height in asked))]
        raws = node.batch("getblockheader", ([block_hash, False] for block_hash in hashes))
        for height, block_hash, raw in zip(asked, hashes, raws, strict=True):
            header = as_header(taken(raw), "getblockheader")
            if header.block_hash != block_hash:
                raise invalid_answer("getblockheader", "is about another block")
            if chain and header.previous[::-1].hex() != chain[-1].block_hash:
                return None
            chain.append(_Link(height, header.block_hash, header.merkle_root))
        progress("following the chain of blocks", asked.stop - first, last + 1 - first)
    return chain


def _worth_reading(
    node: JsonRpc,
    scripts: frozenset[bytes],
    now: Sequence[ChainCoin],
    later: Sequence[_Link],
    progress: Progress,
) -> Sequence[_Link]:
    """Return the blocks that can touch the scripts, by the node's compact filters; all without an index to trust."""
    if not later:
        return later
    ends: list[RpcValue] = [later[0].height, later[-1].height]
    method = "scanblocks"
    try:
        answer = as_object(
            run_search(node, method, scripts, [*ends, "basic"], "asking the filters of blocks", progress), method
        )
    except RpcRefused:
        return later  # most nodes keep no filters
    found = {as_hash(value, method) for value in as_list(answer.get("relevant_blocks"), method)}
    heights = {coin.height for coin in now}
    created = {link.block_hash for link in later if link.height in heights}
    covered = [as_integer(answer.get(name), method) for name in ("from_height", "to_height")]
    if answer.get("completed") is not True or covered != ends or not created <= found:
        return later
    return [link for link in later if link.block_hash in found]


def _spent_in(node: JsonRpc, link: _Link, scripts: frozenset[bytes]) -> Iterator[ChainCoin]:
    method = "getblock"
    patient = node.with_timeout(_BLOCK_TIMEOUT_S)
    block = as_object(patient.call(method, [link.block_hash, _WITH_PREVIOUS_OUTPUTS]), method)
    transactions = [as_object(value, method) for value in as_list(block.get("tx"), method)]
    txids = [as_hash(one.get("txid"), method) for one in transactions]
    if not txids or merkle_root([bytes.fromhex(txid)[::-1] for txid in txids]) != link.merkle_root:
        raise invalid_answer(method, f"leaves transactions of block `{link.block_hash}` out, or changes them")
    for txid, one in zip(txids[1:], transactions[1:], strict=True):
        spends = list(_own_spends(one, scripts, method))
        if spends:
            spender = as_transaction(one.get("hex"), txid, method)
            if not {coin.outpoint for coin in spends} <= {item.outpoint for item in spender.inputs}:
                raise invalid_answer(method, f"says that `{txid}` spends what it does not")
            yield from spends


def _own_spends(transaction: Mapping[str, RpcValue], scripts: frozenset[bytes], method: str) -> Iterator[ChainCoin]:
    for value in as_list(transaction.get("vin"), method):
        entry = as_object(value, method)
        previous = as_object(entry.get("prevout"), method)
        script = as_bytes(as_object(previous.get("scriptPubKey"), method).get("hex"), method)
        if script in scripts:
            yield ChainCoin(
                as_outpoint(entry, method),
                as_sats(previous.get("value"), method),
                script,
                as_integer(previous.get("height"), method),
                as_flag(previous.get("generated"), method),
            )


def _pruned(height: int, lowest: int) -> ChainUnavailable:
    return ChainUnavailable(
        Code.PRUNED_BELOW_BIRTH,
        f"the node has pruned its blocks below height {lowest}, those from {height + 1} on are needed",
        advice="Ask a node that keeps its blocks, or for a block from which this one has them all.",
    )
