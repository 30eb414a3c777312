"""What a node says, checked for type and range before anything is made of it.

Each function takes the value and the name of the method that gave it; what does not fit is
`ChainUnavailable` NODE_ANSWER_INVALID with that name, never a traceback.
"""

import re
from collections.abc import Mapping
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow

from custody.bitcoin.amount import MAX_MONEY, SATS_PER_BTC, FeeRate, Sats, sats
from custody.bitcoin.block import BlockHeader
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.chain.json_rpc import RpcRefused, RpcValue, invalid_answer
from custody.errors import InvalidInput

MAX_HEIGHT = 0x7FFFFFFF
MAX_TIME = 0xFFFFFFFF
_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation, Overflow])
"""Arithmetic that raises where it would round."""
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)


def taken(answer: "RpcValue | RpcRefused") -> RpcValue:
    """Return one answer of a batch; raise the node's own error where it is one."""
    if isinstance(answer, RpcRefused):
        raise answer
    return answer


def as_header(value: RpcValue, method: str) -> BlockHeader:
    """Return the block header that 80 bytes in hex are."""
    try:
        return BlockHeader.parse(as_bytes(value, method))
    except InvalidInput as error:
        raise invalid_answer(method, "is no header") from error


def as_object(value: "RpcValue | RpcRefused", method: str) -> Mapping[str, RpcValue]:
    """Return the value if it is a JSON object."""
    if isinstance(value, RpcRefused):
        raise value
    if not isinstance(value, dict):
        raise invalid_answer(method, "is no object")
    return value


def as_list(value: RpcValue, method: str) -> list[RpcValue]:
    """Return the value if it is a JSON array."""
    if not isinstance(value, list):
        raise invalid_answer(method, "is no array")
    return value


def as_text(value: RpcValue, method: str) -> str:
    """Return the value if it is a string."""
    if not isinstance(value, str):
        raise invalid_answer(method, "has no text where one belongs")
    return value


def as_flag(value: RpcValue, method: str) -> bool:
    """Return the value if it is true or false."""
    if not isinstance(value, bool):
        raise invalid_answer(method, "has neither true nor false where one belongs")
    return value


def as_integer(value: RpcValue, method: str, *, low: int = 0, high: int = MAX_HEIGHT) -> int:
    """Return the value if it is an integer from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise invalid_answer(method, f"has no integer from {low} to {high} where one belongs")
    return value


def as_hash(value: RpcValue, method: str) -> str:
    """Return the value if it is a txid or block hash: 64 lower-case hex digits."""
    if not isinstance(value, str) or _HASH.fullmatch(value) is None:
        raise invalid_answer(method, "has no hash where one belongs")
    return value


def as_bytes(value: RpcValue, method: str) -> bytes:
    """Return the value if it is lower-case hex."""
    if not isinstance(value, str) or _HEX.fullmatch(value) is None:
        raise invalid_answer(method, "has no hex where it belongs")
    return bytes.fromhex(value)


def as_sats(value: RpcValue, method: str) -> Sats:
    """Return an amount that the node gives in bitcoin, as exact satoshis."""
    amount = _scaled(value, method)
    if not 0 <= amount <= MAX_MONEY:
        raise invalid_answer(method, "has an amount outside 0 to 21 million bitcoin")
    return sats(amount)


def as_fee_rate(value: RpcValue, method: str) -> FeeRate:
    """Return a fee rate that the node gives in bitcoin per 1,000 virtual bytes."""
    return FeeRate(as_sats(value, method))


def as_transaction(value: RpcValue, txid: str, method: str) -> Transaction:
    """Return a transaction given in hex, its hash compared with `txid`."""
    try:
        transaction = Transaction.parse(as_bytes(value, method))
    except InvalidInput as error:
        raise invalid_answer(method, "holds no transaction") from error
    if transaction.txid != txid:
        raise invalid_answer(method, f"is transaction `{transaction.txid}`, expected `{txid}`")
    return transaction


def as_outpoint(entry: Mapping[str, RpcValue], method: str) -> OutPoint:
    """Return the outpoint that the members `txid` and `vout` name."""
    return OutPoint(as_hash(entry.get("txid"), method), as_integer(entry.get("vout"), method))


def _scaled(value: RpcValue, method: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise invalid_answer(method, "has no number where an amount belongs")
    try:
        scaled = _EXACT.multiply(Decimal(value), Decimal(SATS_PER_BTC))
    except DecimalException as error:
        raise invalid_answer(method, "has an amount that can't be read exactly") from error
    # A huge exponent would become a huge integer: the range is checked before the conversion.
    if not scaled.is_finite() or abs(scaled) > MAX_MONEY or scaled != scaled.to_integral_value():
        raise invalid_answer(method, "has an amount that is out of range or no whole number of satoshis")
    return int(scaled)
