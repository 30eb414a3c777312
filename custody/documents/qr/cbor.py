"""Deterministic CBOR as far as uniform resources use it: read strictly, written in one way only.

Follows RFC 8949, section 4.2.1: shortest heads, definite lengths, no key twice. There are no
floats, no negative numbers and no simple values but false, true and null: nothing registered
that this toolkit reads has them. A declared length is compared with what is left before
anything is allocated. What is read may have its keys in any order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from custody.documents.qr.refusals import malformed

CborValue: TypeAlias = (
    "int | bytes | str | bool | tuple[CborValue, ...] | Mapping[int | str, CborValue] | Tagged | None"
)

_MAX_DEPTH = 32
_SIMPLE: "dict[int, bool | None]" = {20: False, 21: True, 22: None}
_SIMPLE_LOW = {value: low for low, value in _SIMPLE.items()}
_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}
"""Bytes of the number after a head, by the head's lower five bits."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value under a tag, which says what it means."""

    tag: int
    value: CborValue


def cbor_decode(data: bytes) -> CborValue:
    """Return the one item that `data` is.

    Raises:
        InvalidInput: QR_MALFORMED: not deterministic, cut short, nested too deeply, or with bytes after it.
    """
    reader = _Reader(data)
    value = reader.item(0)
    if reader.left:
        raise malformed(f"{reader.left} bytes follow the CBOR item")
    return value


def cbor_encode(value: CborValue) -> bytes:
    """Return the deterministic bytes of `value`; keys of maps come in the order of their bytes."""
    if value is None or isinstance(value, bool):
        return bytes([0xE0 | _SIMPLE_LOW[value]])
    if isinstance(value, int):
        return _head(0, value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        encoded = value.encode()
        return _head(3, len(encoded)) + encoded
    if isinstance(value, tuple):
        return _head(4, len(value)) + b"".join(cbor_encode(item) for item in value)
    if isinstance(value, Tagged):
        return _head(6, value.tag) + cbor_encode(value.value)
    pairs = sorted((cbor_encode(key), cbor_encode(item)) for key, item in value.items())
    return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for low, size in _SIZES.items():
        if number < 1 << (8 * size):
            return bytes([major << 5 | low]) + number.to_bytes(size, "big")
    raise malformed("a number is too large for CBOR")


class _Reader:
    """Reads items one after another from bytes."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def item(self, depth: int) -> CborValue:
        if depth > _MAX_DEPTH:
            raise malformed(f"CBOR is nested more than {_MAX_DEPTH} deep")
        first = self._take(1)[0]
        major, low = first >> 5, first & 0x1F
        if major == 7:
            return _simple(low)
        number = self._number(low)
        if major == 0:
            return number
        if major == 2:
            return self._take(number)
        if major == 3:
            return self._text(number)
        if major == 4:
            return tuple(self.item(depth + 1) for _ in range(self._count(number, 1)))
        if major == 5:
            return self._map(self._count(number, 2), depth + 1)
        if major == 6:
            return Tagged(number, self.item(depth + 1))
        raise malformed("CBOR holds a negative number")

    def _number(self, low: int) -> int:
        if low < 24:
            return low
        if low not in _SIZES:
            raise malformed("CBOR holds a length that is not stated")
        size = _SIZES[low]
        number = int.from_bytes(self._take(size), "big")
        if number < (24 if size == 1 else 1 << (4 * size)):
            raise malformed("CBOR holds a number that is not in its shortest form")
        return number

    def _take(self, count: int) -> bytes:
        if count > self.left:
            raise malformed(f"CBOR declares {count} bytes, {self.left} are left")
        self._at += count
        return self._data[self._at - count : self._at]

    def _count(self, number: int, smallest: int) -> int:
        """Return `number`, after a look whether so many items of `smallest` bytes can still follow."""
        if number * smallest > self.left:
            raise malformed(f"CBOR declares {number} items, {self.left} bytes are left")
        return number

    def _text(self, count: int) -> str:
        try:
            return self._take(count).decode()
        except UnicodeDecodeError as error:
            raise malformed("CBOR holds a text that is not UTF-8") from error

    def _map(self, count: int, depth: int) -> "dict[int | str, CborValue]":
        found: dict[int | str, CborValue] = {}
        for _ in range(count):
            key = self.item(depth)
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise malformed("CBOR holds a key that is neither a number nor a text")
            if key in found:
                raise malformed("CBOR holds the same key twice")
            found[key] = self.item(depth)
        return found


def _simple(low: int) -> bool | None:
    if low not in _SIMPLE:
        raise malformed("CBOR holds a float or a simple value that is not read")
    return _SIMPLE[low]
