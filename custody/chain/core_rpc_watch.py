"""What the node's watch-only wallet knows: transactions and coins of the watched scripts.

The wallet says which transactions exist and where; each one is fetched whole, parsed here and
its hash compared. The coins are worked out from these transactions and compared with the
wallet's own list: a difference is a reason to call the result incomplete.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from custody.bitcoin.amount import Sats, sats, sum_sats
from custody.bitcoin.block import is_coinbase
from custody.bitcoin.transaction import OutPoint, Transaction, TxOutput
from custody.chain.answers import (
    as_bytes,
    as_hash,
    as_integer,
    as_list,
    as_object,
    as_outpoint,
    as_sats,
    as_transaction,
)
from custody.chain.json_rpc import JsonRpc, RpcRefused, RpcValue, invalid_answer
from custody.ports import ChainCoin, ChainTransaction

_NOT_IN_MEMPOOL = -5
_ALL_CONFIRMATIONS = 9_999_999


@dataclass(frozen=True, slots=True)
class WalletView:
    """The watched scripts' transactions and coins as one wallet tells them."""

    transactions: tuple[ChainTransaction, ...]
    coins: tuple[ChainCoin, ...]
    differences: int
    """How many coins are in one of the two lists only, ours or the wallet's."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the wallet says that a transaction is."""

    height: int | None
    position: int
    block_hash: str | None


def read_wallet(rpc: JsonRpc, scripts: frozenset[bytes]) -> WalletView:
    """Return all that the wallet behind `rpc` knows about `scripts`, conflicted and dropped transactions left out."""
    places = _places(rpc)
    fees = _mempool_fees(rpc, [txid for txid, place in places.items() if place.height is None])
    kept = [txid for txid, place in places.items() if place.height is not None or txid in fees]
    known = _transactions(rpc, kept)
    touching = [one for one in known.values() if _touches(one, known, scripts)]
    ordered = sorted(touching, key=lambda one: _order(places[one.txid], one, known))
    described = tuple(_described(one, places[one.txid], known, fees.get(one.txid)) for one in ordered)
    coins = _unspent_of(described, scripts)
    listed = _listed_outpoints(rpc, scripts)
    ours = {coin.outpoint for coin in coins}
    return WalletView(described, coins, len((ours ^ listed) - _locked_outpoints(rpc)))


def _places(rpc: JsonRpc) -> dict[str, _Place]:
    method = "listsinceblock"
    answer = as_object(rpc.call(method, {"include_change": True, "include_removed": False}), method)
    places: dict[str, _Place] = {}
    for value in as_list(answer.get("transactions"), method):
        entry = as_object(value, method)
        confirmations = as_integer(entry.get("confirmations"), method, low=-(2**31))
        if confirmations < 0:
            # A conflicting transaction is in a block, so this one is not.
            continue
        txid = as_hash(entry.get("txid"), method)
        places[txid] = _place(entry, method) if confirmations else _Place(None, 0, None)
    return places


def _place(entry: Mapping[str, RpcValue], method: str) -> _Place:
    return _Place(
        as_integer(entry.get("blockheight"), method),
        as_integer(entry.get("blockindex"), method),
        as_hash(entry.get("blockhash"), method),
    )


def _mempool_fees(rpc: JsonRpc, txids: Sequence[str]) -> dict[str, Sats]:
    fees: dict[str, Sats] = {}
    method = "getmempoolentry"
    for txid, answer in zip(txids, rpc.batch(method, ([txid] for txid in txids)), strict=True):
        if isinstance(answer, RpcRefused) and answer.number == _NOT_IN_MEMPOOL:
            continue
        fees[txid] = as_sats(as_object(as_object(answer, method).get("fees"), method).get("base"), method)
    return fees


def _transactions(rpc: JsonRpc, txids: Sequence[str]) -> dict[str, Transaction]:
    method = "gettransaction"
    answers = rpc.batch(method, ([txid] for txid in txids))
    return {
        txid: as_transaction(as_object(answer, method).get("hex"), txid, method)
        for txid, answer in zip(txids, answers, strict=True)
    }


def _spent(outpoint: OutPoint, known: Mapping[str, Transaction]) -> TxOutput | None:
    parent = known.get(outpoint.txid)
    return parent.outputs[outpoint.vout] if parent is not None and outpoint.vout < len(parent.outputs) else None


def _touches(transaction: Transaction, known: Mapping[str, Transaction], scripts: frozenset[bytes]) -> bool:
    if any(output.script_pubkey in scripts for output in transaction.outputs):
        return True
    spent = (_spent(tx_input.outpoint, known) for tx_input in transaction.inputs)
    return any(output is not None and output.script_pubkey in scripts for output in spent)


def _order(place: _Place, transaction: Transaction, known: Mapping[str, Transaction]) -> tuple[bool, int, int, str]:
    """Blocks first, then the mempool with parents before children."""
    if place.height is not None:
        return (False, place.height, place.position, transaction.txid)
    return (True, _depth(transaction, known), 0, transaction.txid)


def _depth(transaction: Transaction, known: Mapping[str, Transaction]) -> int:
    level, depth = {transaction.txid}, 0
    while level:
        parents = {item.outpoint.txid for txid in level for item in known[txid].inputs}
        level = {txid for txid in parents if txid in known}
        depth += 1
    return depth


def _described(
    transaction: Transaction, place: _Place, known: Mapping[str, Transaction], mempool_fee: Sats | None
) -> ChainTransaction:
    coinbase = is_coinbase(transaction)
    fee = mempool_fee
    spent = [_spent(tx_input.outpoint, known) for tx_input in transaction.inputs]
    values = [output.value for output in spent if output is not None]
    if len(values) == len(spent) and not coinbase:
        paid = sum(values) - sum_sats(output.value for output in transaction.outputs)
        if paid < 0:
            raise invalid_answer("gettransaction", f"has `{transaction.txid}`, which spends more than its inputs hold")
        fee = sats(paid)
    return ChainTransaction(transaction, place.height, place.block_hash, fee, coinbase)


def _unspent_of(described: Sequence[ChainTransaction], scripts: frozenset[bytes]) -> tuple[ChainCoin, ...]:
    spent = {tx_input.outpoint for one in described for tx_input in one.transaction.inputs}
    return tuple(
        ChainCoin(outpoint, output.value, output.script_pubkey, one.height, one.is_coinbase)
        for one in described
        for vout, output in enumerate(one.transaction.outputs)
        if output.script_pubkey in scripts and (outpoint := OutPoint(one.transaction.txid, vout)) not in spent
    )


def _listed_outpoints(rpc: JsonRpc, scripts: frozenset[bytes]) -> set[OutPoint]:
    listed = rpc.call(
        "listunspent",
        {
            "minconf": 0,
            "maxconf": _ALL_CONFIRMATIONS,
            "include_unsafe": True,
            "query_options": {"include_immature_coinbase": True},
        },
    )
    found: set[OutPoint] = set()
    for value in as_list(listed, "listunspent"):
        entry = as_object(value, "listunspent")
        if as_bytes(entry.get("scriptPubKey"), "listunspent") in scripts:
            found.add(as_outpoint(entry, "listunspent"))
    return found


def _locked_outpoints(rpc: JsonRpc) -> set[OutPoint]:
    # Someone's `lockunspent` on the node takes a coin out of its list, not out of the chain.
    method = "listlockunspent"
    return {as_outpoint(as_object(value, method), method) for value in as_list(rpc.call(method), method)}
