"""Typed reads from a parsed document: each demands one shape and names the field it was in.

For documents of this room and for the journal's bodies. A wrong shape is MALFORMED_DOCUMENT
(the fold turns that into JOURNAL_ALTERED), an unknown key UNKNOWN_FIELD; nothing is guessed.
"""

import re
from collections.abc import Callable, Collection
from typing import TypeVar

from custody.bitcoin.amount import Sats, sats
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import InvalidInput, JsonValue

Value = TypeVar("Value")
Reader = Callable[[JsonValue, str], Value]

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)


def malformed(message: str) -> InvalidInput:
    """Return the error of a document with a wrong shape."""
    return InvalidInput(Code.MALFORMED_DOCUMENT, message, advice="Restore the document from a good copy.")


def fields_of(
    value: JsonValue, what: str, required: Collection[str], optional: Collection[str] = ()
) -> dict[str, JsonValue]:
    """Return an object with exactly the `required` keys, and none but `optional` besides."""
    if not isinstance(value, dict):
        raise malformed(f"{what} is not an object")
    missing = [key for key in required if key not in value]
    if missing:
        raise malformed(f"{what} lacks the key `{min(missing)}`")
    # None is missing, so that only more keys than these can be others: a fold asks this for every object.
    if len(value) > len(required):
        unknown = value.keys() - set(required) - set(optional)
        if unknown:
            raise InvalidInput(
                Code.UNKNOWN_FIELD,
                f"{what} has the unknown key `{min(unknown)}`",
                advice="Nothing unknown is guessed at.",
            )
    return value


def text_of(value: JsonValue, what: str) -> str:
    """Return text."""
    if not isinstance(value, str):
        raise malformed(f"{what} is not text")
    return value


def integer_of(value: JsonValue, what: str) -> int:
    """Return a whole number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise malformed(f"{what} is not a whole number of 0 or more")
    return value


def boolean_of(value: JsonValue, what: str) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise malformed(f"{what} is neither true nor false")
    return value


def sats_of(value: JsonValue, what: str) -> Sats:
    """Return an amount in satoshis."""
    return sats(integer_of(value, what))


def hash_of(value: JsonValue, what: str) -> str:
    """Return 64 lower-case hex characters."""
    text = text_of(value, what)
    if _HASH.fullmatch(text) is None:
        raise malformed(f"{what} is not 64 lower-case hex characters")
    return text


def hex_of(value: JsonValue, what: str) -> bytes:
    """Return bytes written as lower-case hex."""
    text = text_of(value, what)
    if _HEX.fullmatch(text) is None:
        raise malformed(f"{what} is not lower-case hex")
    return bytes.fromhex(text)


def outpoint_of(value: JsonValue, what: str) -> OutPoint:
    """Return `txid:vout`."""
    return OutPoint.parse(text_of(value, what))


def list_of(read: Reader[Value], value: JsonValue, what: str) -> tuple[Value, ...]:
    """Return a list, each item read by `read`."""
    if not isinstance(value, list):
        raise malformed(f"{what} is not a list")
    return tuple(read(item, f"{what}[{place}]") for place, item in enumerate(value))


def optional_of(read: Reader[Value], value: JsonValue, what: str) -> Value | None:
    """Return None for null, else what `read` returns."""
    return None if value is None else read(value, what)
