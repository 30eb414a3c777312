"""Base58, base58check, bech32 and bech32m: text forms of keys and addresses.

Follows BIP 173 and BIP 350, whose checks are all made: case, characters, lengths, padding,
checksum variant per witness version. It knows prefixes and payloads only; what a version
byte means stands in `keys.py` and `address.py`. No error repeats the text it refuses,
because a private key could have been pasted in its place.
"""

from functools import reduce
from operator import xor

from custody.bitcoin.hashing import sha256d
from custody.codes import Code
from custody.errors import InvalidInput

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUES = {character: value for value, character in enumerate(_BASE58)}
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_VALUES = {character: value for value, character in enumerate(_BECH32)}
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_TABLE = tuple(
    reduce(xor, (generator for bit, generator in enumerate(_BECH32_GENERATOR) if (top >> bit) & 1), 0)
    for top in range(32)
)
"""What each value of the five bits that leave the checksum puts back into it."""
BECH32 = 1
"""Checksum constant of BIP 173, for witness version 0."""
BECH32M = 0x2BC830A3
"""Checksum constant of BIP 350, for witness versions 1 to 16."""
MAX_BASE58_LENGTH = 400
"""No text form in use is longer than 112 characters; decoding takes time in the square of the length."""
MAX_BECH32_LENGTH = 90


def base58_encode(payload: bytes) -> str:
    """Return `payload` in base58 without a checksum."""
    number = int.from_bytes(payload, "big")
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = _BASE58[digit] + digits
    return _BASE58[0] * (len(payload) - len(payload.lstrip(b"\0"))) + digits


def base58_decode(text: str) -> bytes:
    """Return the bytes that base58 `text` stands for; no checksum is expected.

    Raises:
        InvalidInput: a character outside the alphabet, or longer than any known form.
    """
    if len(text) > MAX_BASE58_LENGTH:
        raise _refuse(f"base58 text has {len(text)} characters, at most {MAX_BASE58_LENGTH} are read")
    number = 0
    for character in text:
        value = _BASE58_VALUES.get(character)
        if value is None:
            raise _refuse("base58 text holds a character outside its alphabet")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip(_BASE58[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base58check_encode(payload: bytes) -> str:
    """Return `payload` (version bytes included) in base58 with its four-byte checksum."""
    return base58_encode(payload + sha256d(payload)[:4])


def base58check_decode(text: str) -> bytes:
    """Return the payload of `text`, version bytes included, checksum verified and removed.

    Raises:
        InvalidInput: not base58, too short for a checksum, or a wrong checksum.
    """
    decoded = base58_decode(text)
    payload, checksum = decoded[:-4], decoded[-4:]
    if len(decoded) < 4 or sha256d(payload)[:4] != checksum:
        raise _refuse("the base58 checksum does not match")
    return payload


def segwit_encode(hrp: str, version: int, program: bytes) -> str:
    """Return the address of witness `program` under prefix `hrp`.

    Raises:
        InvalidInput: a version above 16 or a program length that consensus does not know.
    Source: BIP 173, BIP 350.
    """
    _check_program(version, program)
    constant = BECH32 if version == 0 else BECH32M
    return bech32_encode(hrp, [version, *_to_groups_of_five(program)], constant)


def segwit_decode(hrp: str, text: str) -> tuple[int, bytes]:
    """Return witness version and program of the address `text`, which must carry prefix `hrp`.

    Raises:
        InvalidInput: anything that BIP 173 or BIP 350 calls invalid.
    Source: BIP 173, BIP 350.
    """
    found_hrp, values, constant = bech32_decode(text)
    if found_hrp != hrp:
        raise _refuse(f"the address prefix is `{found_hrp}`, expected `{hrp}`")
    if not values:
        raise _refuse("the address has no witness version")
    version, program = values[0], _to_bytes(values[1:])
    if constant != (BECH32 if version == 0 else BECH32M):
        raise _refuse("the checksum is of the wrong kind for this witness version")
    _check_program(version, program)
    return version, program


def bech32_encode(hrp: str, values: list[int], constant: int) -> str:
    """Return `values` (each below 32) in bech32 under prefix `hrp`, checksum with `constant`."""
    polymod = _polymod([*_expand(hrp), *values, 0, 0, 0, 0, 0, 0]) ^ constant
    checksum = [(polymod >> 5 * (5 - place)) & 31 for place in range(6)]
    return hrp + "1" + "".join(map(_BECH32.__getitem__, [*values, *checksum]))


def bech32_decode(text: str) -> tuple[str, list[int], int]:
    """Return prefix (lower case), values without checksum, and the checksum constant found.

    Raises:
        InvalidInput: mixed case, a wrong character, a wrong length, or neither checksum fits.
    """
    if len(text) > MAX_BECH32_LENGTH:
        raise _refuse(f"bech32 text has {len(text)} characters, at most {MAX_BECH32_LENGTH} are valid")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise _refuse("bech32 text holds a character outside printable ASCII")
    if text.lower() != text and text.upper() != text:
        raise _refuse("bech32 text mixes upper and lower case")
    hrp, separator, encoded = text.lower().rpartition("1")
    if not separator or not hrp or len(encoded) < 6:
        raise _refuse("bech32 text lacks its prefix, its separator or its checksum")
    values = [_BECH32_VALUES.get(character, -1) for character in encoded]
    if -1 in values:
        raise _refuse("bech32 text holds a character outside its alphabet")
    constant = _polymod([*_expand(hrp), *values])
    if constant not in (BECH32, BECH32M):
        raise _refuse("the bech32 checksum does not match")
    return hrp, values[:-6], constant


def _check_program(version: int, program: bytes) -> None:
    if not 0 <= version <= 16:
        raise _refuse(f"witness version {version} lies outside 0 to 16")
    if not 2 <= len(program) <= 40:
        raise _refuse(f"the witness program has {len(program)} bytes, 2 to 40 are valid")
    if version == 0 and len(program) not in (20, 32):
        raise _refuse(f"the version 0 witness program has {len(program)} bytes, 20 or 32 are valid")


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value ^ _BECH32_TABLE[checksum >> 25]
    return checksum


def _expand(hrp: str) -> list[int]:
    return [ord(character) >> 5 for character in hrp] + [0] + [ord(character) & 31 for character in hrp]


def _to_groups_of_five(program: bytes) -> list[int]:
    bits = 8 * len(program)
    padding = -bits % 5
    number = int.from_bytes(program, "big") << padding
    groups = (bits + padding) // 5
    return [(number >> 5 * (groups - 1 - place)) & 31 for place in range(groups)]


def _to_bytes(values: list[int]) -> bytes:
    number = 0
    for value in values:
        number = number << 5 | value
    length, padding = divmod(5 * len(values), 8)
    if padding > 4 or number & ((1 << padding) - 1):
        raise _refuse("the address has wrong padding")
    return (number >> padding).to_bytes(length, "big")


def _refuse(message: str) -> InvalidInput:
    return InvalidInput(
        Code.ADDRESS_INVALID, message, advice="Copy the text again from its source, whole and unchanged."
    )
