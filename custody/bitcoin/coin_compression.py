"""The compact form in which a node's set of unspent outputs writes amounts and scripts.

Each amount and each script has exactly one compact form, so a wanted script can be looked for in
compact form, and nothing needs to be decompressed but what is found.
Source: Bitcoin Core, `src/compressor.h` and `.cpp`, and VARINT in `src/serialize.h`.
"""

from custody.bitcoin.curve import COMPRESSED_LENGTH, uncompressed_public_key
from custody.codes import Code
from custody.errors import InvalidInput

MAX_SCRIPT_SIZE = 10_000
"""A longer script can't be spent, so no node keeps such an output."""
SPECIAL_SIZES = (20, 20, 32, 32, 32, 32)
"""Bytes after the first for pay-to-pubkey-hash, pay-to-script-hash, and pay-to-pubkey (02, 03, 04 even, 04 odd)."""
_SPECIAL = len(SPECIAL_SIZES)
_OP_CHECKSIG = 0xAC
_UNCOMPRESSED_LENGTH = 65


def varint(number: int) -> bytes:
    """Return the VARINT of a number from 0: base 128, most significant first, one form for each number."""
    groups = [number & 0x7F]
    while number > 0x7F:
        number = (number >> 7) - 1
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))


def decompress_amount(compact: int) -> int:
    """Return the satoshis that a compact amount stands for; no bound is checked."""
    if compact == 0:
        return 0
    rest, exponent = divmod(compact - 1, 10)
    if exponent == 9:
        return (rest + 1) * 1_000_000_000
    tens, digit = divmod(rest, 9)
    return int((tens * 10 + digit + 1) * 10**exponent)


def compress_script(script: bytes) -> bytes:
    """Return the compact form of a script, its size or kind first."""
    special = _special_form(script)
    return varint(len(script) + _SPECIAL) + script if special is None else special


def decompress_script(compact: bytes) -> bytes:
    """Return the script of a whole compact form, as `compress_script` gives it.

    Raises:
        InvalidInput: SCRIPT_INVALID, the form is none: cut off, no point of the curve, or not the one
            form of its script.
    """
    kind = compact[0] if compact else _SPECIAL
    body = compact[1:]
    if kind < _SPECIAL:
        if len(body) != SPECIAL_SIZES[kind]:
            raise _invalid("its length is wrong")
        return _expanded(kind, body)
    for size_length in (1, 2, 3):
        script = compact[size_length:]
        if varint(len(script) + _SPECIAL) == compact[:size_length]:
            if _special_form(script) is not None:
                raise _invalid("it stands there whole though it has a shorter form")
            return script
    raise _invalid("its length is wrong")


def has_special_form(script: bytes) -> bool:
    """Whether a node writes this script in one of the six short forms."""
    return _special_form(script) is not None


def _special_form(script: bytes) -> bytes | None:
    size = len(script)
    if size == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return b"\x00" + script[3:23]
    if size == 23 and script[:2] == b"\xa9\x14" and script[22] == 0x87:
        return b"\x01" + script[2:22]
    if size == 35 and script[0] == COMPRESSED_LENGTH and script[34] == _OP_CHECKSIG and script[1] in (2, 3):
        return script[1:34]
    if size == 67 and script[:2] == b"\x41\x04" and script[66] == _OP_CHECKSIG:
        even_or_odd = script[65] & 1
        # Only a point of the curve has this form: otherwise the second half couldn't be found again.
        if uncompressed_public_key(bytes([2 + even_or_odd]) + script[2:34]) == script[1:66]:
            return bytes([4 + even_or_odd]) + script[2:34]
    return None


def _expanded(kind: int, body: bytes) -> bytes:
    if kind == 0:
        return b"\x76\xa9\x14" + body + b"\x88\xac"
    if kind == 1:
        return b"\xa9\x14" + body + b"\x87"
    if kind in (2, 3):
        return bytes([COMPRESSED_LENGTH, kind]) + body + bytes([_OP_CHECKSIG])
    key = uncompressed_public_key(bytes([kind - 2]) + body)
    if key is None:
        raise _invalid("its public key is no point of the curve")
    return bytes([_UNCOMPRESSED_LENGTH]) + key + bytes([_OP_CHECKSIG])


def _invalid(why: str) -> InvalidInput:
    return InvalidInput(
        Code.SCRIPT_INVALID, f"a script in compact form is wrong: {why}", advice="Get the file again from its source."
    )
