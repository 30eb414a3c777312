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

from custody.bitcoin.block import BlockHeader, merkle_root
from custody.chain.answers import (
    as_bytes,
    as_flag,
    as_hash,
    as_integer,
    as_list,
    as_object,
    as_outpoint,
    as_sats,
    as_transaction,
)
from custody.chain.core_rpc_scan import run_search, search_unspent
from custody.chain.json_rpc import JsonRpc, RpcRefused, RpcValue, invalid_answer
from custody.chain.past import in_order, require_block
from custody.codes import Code
from custody.errors import ChainUnavailable, InvalidInput
from custody.ports import ChainCoin, Progress

_BLOCK_TIMEOUT_S = 600
_WITH_PREVIOUS_OUTPUTS = 3
"""Verbosity of `getblock`."""
_HEADERS_PER_STEP = 2_000


@dataclass(frozen=True, slots=True)
class PastAnswer:
    """Coins right after a block."""

    block_hash: str
    coins: tuple[ChainCoin, ...]
    """In the order of their heights and outpoints."""


@dataclass(frozen=True, slots=True)
class _Link:
    """One block of the chain that was followed."""

    block_hash: str
    merkle_root: bytes


def coins_after(
    node: JsonRpc, scripts: frozenset[bytes], height: int, lowest: int, progress: Progress
) -> PastAnswer | None:
    """Return the scripts' unspent outputs right after the block at `height`, None if the chain changed meanwhile.

    `lowest` is the first block that the node still has.

    Raises:
        ChainUnavailable: BLOCK_UNKNOWN above the tip, PRUNED_BELOW_BIRTH where a later block is gone, and
            NODE_ANSWER_INVALID for a block that is not what its header commits to.
    """
    tip_height = as_integer(node.call("getblockcount"), "getblockcount")
    require_block(height, tip_height)
    if height + 1 < lowest:
        raise _pruned(height, lowest)
    tip_hash, tip_height, now = search_unspent(node, scripts, progress)
    require_block(height, tip_height)
    chain = _links(node, height, tip_height, progress)
    if chain is None or chain[-1].block_hash != tip_hash:
        return None
    later = chain[1:]
    held = {coin.outpoint: coin for coin in now if _existed(coin, height)}
    worth_reading = _worth_reading(node, scripts, now, later, height, progress)
    for number, link in enumerate(worth_reading):
        progress("undoing blocks", number, len(worth_reading))
        held.update((coin.outpoint, coin) for coin in _spent_in(node, link, scripts) if _existed(coin, height))
    progress("undoing blocks", len(worth_reading), len(worth_reading))
    if as_hash(node.call("getblockhash", [tip_height]), "getblockhash") != tip_hash:
        return None
    return PastAnswer(chain[0].block_hash, in_order(held.values()))


def _existed(coin: ChainCoin, height: int) -> bool:
    return coin.height is not None and coin.height <= height


def _links(node: JsonRpc, first: int, last: int, progress: Progress) -> list[_Link] | None:
    """Return the blocks from `first` to `last`, each the parent of the next by its hash; None if they are not."""
    chain: list[_Link] = []
    for start in range(first, last + 1, _HEADERS_PER_STEP):
        asked = range(start, min(start + _HEADERS_PER_STEP, last + 1))
        hashes = [_value(one) for one in node.batch("getblockhash", ([height] for height in asked))]
        raws = node.batch("getblockheader", ([block_hash, False] for block_hash in hashes))
        for block_hash, raw in zip(hashes, raws, strict=True):
            header = _header(_value(raw))
            if header.block_hash != block_hash:
                raise invalid_answer("getblockheader", "is about another block")
            if chain and header.previous[::-1].hex() != chain[-1].block_hash:
                return None
            chain.append(_Link(header.block_hash, header.merkle_root))
        progress("following the chain of blocks", asked.stop - first, last + 1 - first)
    return chain


def _value(answer: "RpcValue | RpcRefused") -> RpcValue:
    if isinstance(answer, RpcRefused):
        raise answer
    return answer


def _header(raw: RpcValue) -> BlockHeader:
    try:
        return BlockHeader.parse(as_bytes(raw, "getblockheader"))
    except InvalidInput as error:
        raise invalid_answer("getblockheader", "is no header") from error


def _worth_reading(
    node: JsonRpc,
    scripts: frozenset[bytes],
    now: Sequence[ChainCoin],
    later: Sequence[_Link],
    height: int,
    progress: Progress,
) -> Sequence[_Link]:
    """Return the blocks that can touch the scripts, by the node's compact filters; all without an index to trust."""
    if not later:
        return later
    params: list[RpcValue] = [height + 1, height + len(later), "basic"]
    method = "scanblocks"
    try:
        answer = as_object(run_search(node, method, scripts, params, "asking the filters of blocks", progress), method)
    except RpcRefused:
        return later  # most nodes keep no filters
    found = {as_hash(value, method) for value in as_list(answer.get("relevant_blocks"), method)}
    covered = (as_integer(answer.get("from_height"), method), as_integer(answer.get("to_height"), method))
    heights = {coin.height for coin in now if coin.height is not None and coin.height > height}
    created = {later[above - height - 1].block_hash for above in heights}
    if answer.get("completed") is not True or covered != (height + 1, height + len(later)) or not created <= found:
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
