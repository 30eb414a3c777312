"""What a node says of whole blocks, for evidence: header, transaction ids, coinbase; and runs of headers."""

from custody.bitcoin.block import BlockHeader
from custody.chain.answers import as_hash, as_header, as_list, as_object, as_transaction, taken
from custody.chain.evidence import BlockParts
from custody.chain.json_rpc import JsonRpc, invalid_answer

_TXIDS_ALONE = 1
"""Verbosity of `getblock`."""


def block_parts(node: JsonRpc, block_hash: str) -> BlockParts:
    """Return what a proof needs of a block; that it all fits together is checked with the proof."""
    method = "getblock"
    block = as_object(node.call(method, [block_hash, _TXIDS_ALONE]), method)
    txids = tuple(as_hash(one, method) for one in as_list(block.get("tx"), method))
    if not txids:
        raise invalid_answer(method, "has no transaction")
    header = as_header(node.call("getblockheader", [block_hash, False]), "getblockheader")
    raw = node.call("getrawtransaction", [txids[0], False, block_hash])
    return BlockParts(header, txids, as_transaction(raw, txids[0], "getrawtransaction"))


def headers(node: JsonRpc, start: int, count: int) -> list[BlockHeader]:
    """Return the active chain's headers from `start` on, in two calls."""
    hashes = node.batch("getblockhash", ([height] for height in range(start, start + count)))
    wanted = [as_hash(taken(one), "getblockhash") for one in hashes]
    raws = node.batch("getblockheader", ([one, False] for one in wanted))
    return [as_header(taken(raw), "getblockheader") for raw in raws]
