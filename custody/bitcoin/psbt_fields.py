"""The fields of a PSBT by name and number, and the small values that they hold.

Numbers are those of BIP 174, BIP 370, BIP 127 and BIP 322; what later BIPs reserve and this toolkit does
not build is listed so that it is refused by name instead of being kept as unknown.
"""

import struct
from dataclasses import dataclass

from custody.bitcoin.curve import is_valid_public_key
from custody.bitcoin.keys import KeyOrigin

MAGIC = b"psbt\xff"

GLOBAL_UNSIGNED_TX = 0x00
GLOBAL_XPUB = 0x01
GLOBAL_TX_VERSION = 0x02
GLOBAL_FALLBACK_LOCKTIME = 0x03
GLOBAL_INPUT_COUNT = 0x04
GLOBAL_OUTPUT_COUNT = 0x05
GLOBAL_TX_MODIFIABLE = 0x06
GLOBAL_SIGNED_MESSAGE = 0x09
"""The message of a BIP 322 signature."""
GLOBAL_VERSION = 0xFB
PROPRIETARY = 0xFC

IN_NON_WITNESS_UTXO = 0x00
IN_WITNESS_UTXO = 0x01
IN_PARTIAL_SIG = 0x02
IN_SIGHASH_TYPE = 0x03
IN_REDEEM_SCRIPT = 0x04
IN_WITNESS_SCRIPT = 0x05
IN_BIP32_DERIVATION = 0x06
IN_FINAL_SCRIPTSIG = 0x07
IN_FINAL_SCRIPTWITNESS = 0x08
IN_POR_COMMITMENT = 0x09
"""The message of a BIP 127 proof of reserves, on its first input."""
IN_PREVIOUS_TXID = 0x0E
IN_OUTPUT_INDEX = 0x0F
IN_SEQUENCE = 0x10
IN_REQUIRED_TIME_LOCKTIME = 0x11
IN_REQUIRED_HEIGHT_LOCKTIME = 0x12

OUT_REDEEM_SCRIPT = 0x00
OUT_WITNESS_SCRIPT = 0x01
OUT_BIP32_DERIVATION = 0x02
OUT_AMOUNT = 0x03
OUT_SCRIPT = 0x04

UNSUPPORTED_GLOBAL = {
    0x07: "silent payment share (BIP 375)",
    0x08: "silent payment proof (BIP 375)",
}
UNSUPPORTED_INPUT = {
    0x0A: "RIPEMD160 preimage",
    0x0B: "SHA256 preimage",
    0x0C: "HASH160 preimage",
    0x0D: "HASH256 preimage",
    0x13: "taproot key signature (BIP 371)",
    0x14: "taproot script signature (BIP 371)",
    0x15: "taproot leaf script (BIP 371)",
    0x16: "taproot derivation (BIP 371)",
    0x17: "taproot internal key (BIP 371)",
    0x18: "taproot merkle root (BIP 371)",
    0x1A: "MuSig2 participants (BIP 373)",
    0x1B: "MuSig2 nonce (BIP 373)",
    0x1C: "MuSig2 partial signature (BIP 373)",
    0x1D: "silent payment share (BIP 375)",
    0x1E: "silent payment proof (BIP 375)",
}
UNSUPPORTED_OUTPUT = {
    0x05: "taproot internal key (BIP 371)",
    0x06: "taproot tree (BIP 371)",
    0x07: "taproot derivation (BIP 371)",
    0x08: "MuSig2 participants (BIP 373)",
    0x09: "silent payment address (BIP 375)",
    0x0A: "silent payment label (BIP 375)",
    0x35: "DNSSEC proof (BIP 353)",
}


@dataclass(frozen=True, slots=True)
class RawField:
    """A field that this toolkit does not read: kept to the byte, listed, never acted on."""

    key: bytes
    """Key type (CompactSize) and key data."""
    value: bytes


@dataclass(frozen=True, slots=True)
class KeyDerivation:
    """A claim of the file: this public key stands at this origin. Never believed, only compared."""

    public_key: bytes
    """33 bytes compressed, or 65 in a legacy script."""
    origin: KeyOrigin


@dataclass(frozen=True, slots=True)
class GlobalXpub:
    """An account key that the file names for its signers."""

    key78: bytes
    """BIP 32 serialization without checksum, version bytes included."""
    origin: KeyOrigin


@dataclass(frozen=True, slots=True)
class PartialSignature:
    """A signature as a signer left it: unverified until `signatures.py` has judged it."""

    public_key: bytes
    signature: bytes
    """DER with the sighash byte at its end."""


def origin_from_bytes(value: bytes) -> KeyOrigin | None:
    """Read a fingerprint and 32-bit little-endian steps, or None where the length does not fit."""
    if len(value) < 4 or len(value) % 4:
        return None
    return KeyOrigin(value[:4], struct.unpack(f"<{len(value) // 4 - 1}I", value[4:]))


def origin_to_bytes(origin: KeyOrigin) -> bytes:
    """Return the value of a derivation field."""
    return origin.fingerprint + struct.pack(f"<{len(origin.path)}I", *origin.path)


def uint32_or_none(value: int | None) -> bytes | None:
    """Return the four bytes of `value`, or None for a field that is absent."""
    return None if value is None else value.to_bytes(4, "little")


def is_script_public_key(key: bytes) -> bool:
    """Whether `key` is a point of the curve in one of the two forms that a script may hold."""
    if len(key) != 65 or key[0] != 0x04:
        return is_valid_public_key(key)
    x, y = int.from_bytes(key[1:33], "big"), int.from_bytes(key[33:], "big")
    return x < _FIELD and y < _FIELD and (y * y - x * x * x - 7) % _FIELD == 0


_FIELD = 2**256 - 2**32 - 977
"""The prime of secp256k1's field (SEC 2)."""
