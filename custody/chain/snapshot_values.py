"""Values of a snapshot file, checked one by one; each refusal names the field."""

import re
from collections.abc import Mapping

from custody.codes import Code
from custody.errors import InvalidInput, JsonValue

_MAX_HEIGHT = 2**31 - 1
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)


def invalid_snapshot(what: str) -> InvalidInput:
    """Return the error for a snapshot that can't be what it claims."""
    return InvalidInput(
        Code.SNAPSHOT_INVALID,
        f"the snapshot is wrong: {what}",
        advice="Copy the file again from the machine that has the node, or write a new one there.",
    )


def object_of(value: JsonValue, where: str) -> Mapping[str, JsonValue]:
    """Return the value if it is an object."""
    if not isinstance(value, dict):
        raise invalid_snapshot(f"{where} is no object")
    return value


def list_of(value: JsonValue, where: str) -> list[JsonValue]:
    """Return the value if it is a list."""
    if not isinstance(value, list):
        raise invalid_snapshot(f"{where} is no list")
    return value


def text_of(value: JsonValue, where: str) -> str:
    """Return the value if it is text."""
    if not isinstance(value, str):
        raise invalid_snapshot(f"{where} has no text where it belongs")
    return value


def texts_of(value: JsonValue, where: str) -> tuple[str, ...]:
    """Return the value if it is a list of texts."""
    return tuple(text_of(one, where) for one in list_of(value, where))


def integer_of(value: JsonValue, where: str, *, high: int = _MAX_HEIGHT) -> int:
    """Return the value if it is an integer from 0 to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
        raise invalid_snapshot(f"{where} has no integer from 0 to {high} where it belongs")
    return value


def optional_integer_of(value: JsonValue, where: str) -> int | None:
    """Return the value if it is null or an integer from 0."""
    return None if value is None else integer_of(value, where)


def hash_of(value: JsonValue, where: str) -> str:
    """Return the value if it is 64 lower-case hex digits."""
    if not isinstance(value, str) or _HASH.fullmatch(value) is None:
        raise invalid_snapshot(f"{where} has no hash where it belongs")
    return value


def hex_of(value: JsonValue, where: str) -> bytes:
    """Return the bytes if the value is lower-case hex."""
    if not isinstance(value, str) or _HEX.fullmatch(value) is None:
        raise invalid_snapshot(f"{where} has no hex where it belongs")
    return bytes.fromhex(value)
