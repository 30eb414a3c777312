"""The curve secp256k1: public keys, their tweaks, and ECDSA verification, by libsecp256k1.

The only module that touches the binding. It is `btclib-secp256k1` rather than `coincurve`:
both show the same C library at the same speed, but the first makes `lib` and `ffi` public
and ships wheels for Python 3.11 to 3.14, while the second keeps its `lib` private and has
no wheel for 3.14; it is the more widely used of the two, and what speaks against us is
that. Only `lib` and `ffi` are used, with libsecp256k1's own static context, which can
parse, tweak and verify but not sign: no private key ever comes here. Every object that is
handed to the library was made by its own parser and found good, which its contract demands.
Strict DER follows BIP 66, low S BIP 146.
"""

from btclib_secp256k1 import ffi, lib

from custody.codes import Code
from custody.errors import InvalidInput

COMPRESSED_LENGTH = 33
_COMPRESSED_FLAG = 258
"""SECP256K1_EC_COMPRESSED, a macro that does not reach the binding."""
_UNCOMPRESSED_LENGTH = 65
_UNCOMPRESSED_FLAG = 2
"""SECP256K1_EC_UNCOMPRESSED, likewise."""
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_CONTEXT = lib.secp256k1_context_static
# The library asks for this before its static context is used; a machine that miscomputes stops here.
lib.secp256k1_selftest()


class PublicKey:
    """A point of the curve, parsed once and used many times. Immutable."""

    __slots__ = ("_point", "serialized")

    def __init__(self, key: bytes) -> None:
        """Parse `key`, 33 bytes.

        Raises:
            InvalidInput: not a compressed point of the curve.
        """
        point = _parse(key)
        if point is None:
            raise InvalidInput(
                Code.INVALID_PUBLIC_KEY,
                f"public key `{key.hex()}` is not a compressed point of the curve",
                advice="Export the key again from its device.",
            )
        self._point = point
        self.serialized = bytes(key)
        """The 33 bytes the key was parsed from."""

    @classmethod
    def parse(cls, key: bytes) -> "PublicKey":
        """Parse `key`, 33 bytes; as the constructor."""
        return cls(key)

    def tweak_add(self, tweak: bytes) -> bytes:
        """Return this key plus `tweak` times the generator, 33 bytes.

        `tweak` has 32 bytes, big-endian.

        Raises:
            InvalidInput: the tweak is not below the curve's order or the sum is no point
                (BIP 32: that child does not exist; the odds are below 1 in 2**127).
        """
        point = ffi.new("secp256k1_pubkey *", self._point[0])
        if len(tweak) != 32 or not lib.secp256k1_ec_pubkey_tweak_add(_CONTEXT, point, tweak):
            raise InvalidInput(
                Code.INVALID_PUBLIC_KEY,
                "there is no child key at this index",
                advice="Use the next index.",
            )
        output = ffi.new("unsigned char[33]")
        lib.secp256k1_ec_pubkey_serialize(
            _CONTEXT, output, ffi.new("size_t *", COMPRESSED_LENGTH), point, _COMPRESSED_FLAG
        )
        return bytes(ffi.buffer(output))


def is_valid_public_key(key: bytes) -> bool:
    """Whether `key` is a compressed point of the curve: 33 bytes, first 02 or 03."""
    return _parse(key) is not None


def uncompressed_public_key(key: bytes) -> bytes | None:
    """Return the 65 bytes, first 04, of a compressed key; None where it is no point of the curve."""
    point = _parse(key)
    if point is None:
        return None
    output = ffi.new("unsigned char[65]")
    lib.secp256k1_ec_pubkey_serialize(
        _CONTEXT, output, ffi.new("size_t *", _UNCOMPRESSED_LENGTH), point, _UNCOMPRESSED_FLAG
    )
    return bytes(ffi.buffer(output))


def verify_ecdsa(public_key: bytes, digest: bytes, der: bytes) -> bool:
    """Whether `der` (no sighash byte) is a valid signature of the 32-byte `digest`.

    Junk of any kind is False, never an error; so are a signature that is not strict DER
    and one whose S is high.
    """
    if len(digest) != 32 or not is_low_s(der):
        return False
    point = _parse(public_key)
    signature = ffi.new("secp256k1_ecdsa_signature *")
    if point is None or not lib.secp256k1_ecdsa_signature_parse_der(_CONTEXT, signature, der, len(der)):
        return False
    return bool(lib.secp256k1_ecdsa_verify(_CONTEXT, signature, digest, point) == 1)


def is_strict_der(der: bytes) -> bool:
    """Whether `der` (no sighash byte) is the one DER form of its two integers. Source: BIP 66."""
    return _integers_of(der) is not None


def is_low_s(der: bytes) -> bool:
    """Whether `der` is strict and its S at most half the curve's order. Source: BIP 146."""
    integers = _integers_of(der)
    return integers is not None and integers[1] <= _HALF_ORDER


def _integers_of(der: bytes) -> tuple[int, int] | None:
    if not 8 <= len(der) <= 72 or der[0] != 0x30 or der[1] != len(der) - 2:
        return None
    r_end = 4 + der[3]
    if r_end + 2 > len(der) or r_end + 2 + der[r_end + 1] != len(der):
        return None
    r = _integer_of(der[2:r_end])
    s = _integer_of(der[r_end:])
    return None if r is None or s is None else (r, s)


def _integer_of(encoded: bytes) -> int | None:
    """Read tag, length and value: positive, minimal, not empty; the length is already known to fit."""
    value = encoded[2:]
    if encoded[0] != 0x02 or not value or value[0] & 0x80:
        return None
    if len(value) > 1 and value[0] == 0 and not value[1] & 0x80:
        return None
    return int.from_bytes(value, "big")


def _parse(key: bytes) -> "ffi.CData | None":
    if len(key) != COMPRESSED_LENGTH:
        return None
    point = ffi.new("secp256k1_pubkey *")
    return point if lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, key, COMPRESSED_LENGTH) else None
