"""The eight-character checksum of output descriptors.

It catches slips of a pen, not an attacker: two wallets can be made to share one, so no
identity may rest on it. BIP 380 lets a descriptor go without; this toolkit never does.
Source: BIP 380.
"""

from functools import reduce
from operator import xor

from custody.codes import Code
from custody.errors import InvalidInput

CHARACTERS = "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
"""All that may stand in a descriptor, in the order that gives each its value."""
_VALUES = {character: value for value, character in enumerate(CHARACTERS)}
_CHECKSUM_CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)
_FEEDBACK = tuple(
    reduce(xor, (generator for bit, generator in enumerate(_GENERATOR) if top >> bit & 1), 0) for top in range(32)
)
"""For each value of the five bits that are shifted out: the generators of its bits, added up."""
MAX_LENGTH = 16_384
"""Fifteen keys with the longest origins in use take less than 4,000 characters."""


def descriptor_checksum(body: str) -> str:
    """Return the checksum of a descriptor without `#` and checksum.

    Raises:
        InvalidInput: too long, or a character that no descriptor can hold.
    """
    if len(body) > MAX_LENGTH:
        raise _refuse(
            Code.DESCRIPTOR_INVALID, f"a descriptor has {len(body)} characters, at most {MAX_LENGTH} are read"
        )
    values = [_VALUES.get(character, -1) for character in body]
    if -1 in values:
        raise _refuse(Code.DESCRIPTOR_INVALID, "a descriptor holds a character that none may hold")
    symbols: list[int] = []
    for start in range(0, len(values), 3):
        group = values[start : start + 3]
        symbols += [value & 31 for value in group]
        symbols.append(sum((value >> 5) * 3**place for place, value in enumerate(reversed(group))))
    # The specification feeds each group's high bits after its third character, and a last
    # shorter group's after its end; `symbols` above is in just that order.
    checksum = _polymod([*symbols, *[0] * 8]) ^ 1
    return "".join(_CHECKSUM_CHARACTERS[(checksum >> 5 * (7 - place)) & 31] for place in range(8))


def add_checksum(body: str) -> str:
    """Return `body` with `#` and its checksum."""
    return f"{body}#{descriptor_checksum(body)}"


def require_checksum(text: str) -> str:
    """Return the body of `text`, whose checksum must be there and right.

    Raises:
        InvalidInput: CHECKSUM_MISSING, CHECKSUM_MISMATCH, or DESCRIPTOR_INVALID.
    """
    body, separator, found = text.partition("#")
    if not separator or not found:
        raise _refuse(Code.CHECKSUM_MISSING, "a descriptor has no checksum")
    expected = descriptor_checksum(body)
    if found != expected:
        shown = f"`{found}`" if len(found) == 8 and found.isascii() and found.isalnum() else "not one"
        raise _refuse(Code.CHECKSUM_MISMATCH, f"the descriptor's checksum is {shown}, expected `{expected}`")
    return body


def _polymod(symbols: list[int]) -> int:
    checksum = 1
    for symbol in symbols:
        checksum = (checksum & 0x7FFFFFFFF) << 5 ^ symbol ^ _FEEDBACK[checksum >> 35]
    return checksum


def _refuse(code: Code, message: str) -> InvalidInput:
    return InvalidInput(code, message, advice="Copy the whole descriptor with its checksum again from its source.")
