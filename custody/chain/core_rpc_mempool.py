"""The node's mempool: fees, what it would take, what a transaction would push out, and sending."""

from custody.bitcoin.amount import FeeRate
from custody.bitcoin.transaction import Transaction
from custody.chain.answers import as_fee_rate, as_flag, as_hash, as_list, as_object, as_text
from custody.chain.json_rpc import JsonRpc, RpcRefused, RpcValue, invalid_answer
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import MempoolVerdict

_KNOWN_REASONS = frozenset(
    {"txn-already-in-mempool", "txn-already-known", "txn-same-nonwitness-data-in-mempool"},
)
_UNKNOWN_TRANSACTION = -5


def estimate_fee_rate(node: JsonRpc, target_blocks: int) -> FeeRate:
    """Return the node's estimate for confirmation within `target_blocks`.

    Raises:
        ChainUnavailable: NO_FEE_ESTIMATE when it has none; there is no other figure to fall back on.
    """
    method = "estimatesmartfee"
    answer = as_object(node.call(method, [target_blocks]), method)
    rate = as_fee_rate(answer["feerate"], method) if "feerate" in answer else FeeRate(0)
    if not rate.sat_kvb:
        raise ChainUnavailable(
            Code.NO_FEE_ESTIMATE,
            f"the node has no fee estimate for {target_blocks} blocks",
            advice="Give the fee rate yourself with --fee-rate, or wait until the node has seen more blocks.",
        )
    return rate


def minimum_fee_rate(node: JsonRpc) -> FeeRate:
    """Return the lowest rate that the node's mempool takes and passes on now."""
    method = "getmempoolinfo"
    answer = as_object(node.call(method), method)
    return max(as_fee_rate(answer.get(name), method) for name in ("mempoolminfee", "minrelaytxfee"))


def judge_acceptance(node: JsonRpc, raw_transaction: bytes) -> MempoolVerdict:
    """Ask `testmempoolaccept`; what the mempool holds already counts as allowed and known."""
    method, txid = "testmempoolaccept", Transaction.parse(raw_transaction).txid
    answers = as_list(node.call(method, [[raw_transaction.hex()]]), method)
    if len(answers) != 1:
        raise invalid_answer(method, "has another length than the question")
    answer = as_object(answers[0], method)
    if as_hash(answer.get("txid"), method) != txid:
        raise invalid_answer(method, "is about another transaction")
    if as_flag(answer.get("allowed"), method):
        return MempoolVerdict(True, "", False)
    reason = as_text(answer.get("reject-reason"), method)
    if reason in _KNOWN_REASONS or is_in_mempool(node, txid):
        return MempoolVerdict(True, "", True)
    return MempoolVerdict(False, reason, False)


def find_conflicts(node: JsonRpc, transaction: Transaction) -> tuple[str, ...]:
    """Return the mempool's txids that spend this transaction's inputs, with their descendants, sorted."""
    method = "gettxspendingprevout"
    asked: list[RpcValue] = [{"txid": item.outpoint.txid, "vout": item.outpoint.vout} for item in transaction.inputs]
    answers = [as_object(value, method) for value in as_list(node.call(method, [asked]), method)]
    if len(answers) != len(asked):
        raise invalid_answer(method, "has another length than the question")
    direct = {as_hash(answer["spendingtxid"], method) for answer in answers if "spendingtxid" in answer}
    direct.discard(transaction.txid)
    evicted = set(direct)
    for txid in sorted(direct):
        evicted.update(_descendants(node, txid))
    return tuple(sorted(evicted))


def send(node: JsonRpc, raw_transaction: bytes) -> str:
    """Send the transaction; return the txid, which is compared with ours.

    Raises:
        RpcRefused: the node's own reason.
    """
    txid = Transaction.parse(raw_transaction).txid
    answer = as_hash(node.call("sendrawtransaction", [raw_transaction.hex()]), "sendrawtransaction")
    if answer != txid:
        raise invalid_answer("sendrawtransaction", f"names `{answer}`, expected `{txid}`")
    return txid


def is_in_mempool(node: JsonRpc, txid: str) -> bool:
    """Whether the node's mempool holds the transaction."""
    try:
        as_object(node.call("getmempoolentry", [txid]), "getmempoolentry")
    except RpcRefused as error:
        if error.number == _UNKNOWN_TRANSACTION:
            return False
        raise
    return True


def _descendants(node: JsonRpc, txid: str) -> list[str]:
    method = "getmempooldescendants"
    try:
        return [as_hash(value, method) for value in as_list(node.call(method, [txid]), method)]
    except RpcRefused as error:
        # It left the mempool between the two questions, and its descendants with it or into a block.
        if error.number == _UNKNOWN_TRANSACTION:
            return []
        raise
