"""What a node says of whole blocks, for evidence: header, transaction ids, coinbase; and runs of headers."""

from custody.bitcoin.block import BlockHeader
from custody.chain.answers import as_bytes, as_hash, as_list, as_object, as_transaction
from custody.chain.evidence import BlockParts
from custody.chain.json_rpc import JsonRpc, RpcRefused, RpcValue, invalid_answer
from custody.errors import InvalidInput

_TXIDS_ALONE = 1
"""Verbosity of `getblock`."""


def block_parts(node: JsonRpc, block_hash: str) -> BlockParts:
    """Return what a proof needs of a block; that it all fits together is checked with the proof."""
    method = "getblock"
    block = as_object(node.call(method, [block_hash, _TXIDS_ALONE]), method)
    txids = tuple(as_hash(one, method) for one in as_list(block.get("tx"), method))
    if not txids:
        raise invalid_answer(method, "has no transaction")
    header = _header(node.call("getblockheader", [block_hash, False]))
    raw = node.call("getrawtransaction", [txids[0], False, block_hash])
    return BlockParts(header, txids, as_transaction(raw, txids[0], "getrawtransaction"))


def headers(node: JsonRpc, start: int, count: int) -> list[BlockHeader]:
    """Return the active chain's headers from `start` on, in two calls."""
    hashes = node.batch("getblockhash", ([height] for height in range(start, start + count)))
    wanted = [as_hash(_value(one), "getblockhash") for one in hashes]
    return [_header(_value(raw)) for raw in node.batch("getblockheader", ([one, False] for one in wanted))]


def _value(answer: "RpcValue | RpcRefused") -> RpcValue:
    if isinstance(answer, RpcRefused):
        raise answer
    return answer


def _header(raw: RpcValue) -> BlockHeader:
    try:
        return BlockHeader.parse(as_bytes(raw, "getblockheader"))
    except InvalidInput as error:
        raise invalid_answer("getblockheader", "is no header") from error
