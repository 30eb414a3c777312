"""Messages signed by a key, in the legacy form: 65 bytes in base64, as wallets and devices write them.

The digest is that of Bitcoin Core's `signmessage`. The key is always given, never recovered from the
signature, so the first byte (which address form the signer had in mind) decides nothing but whether
the form is known. BIP 322's simple form stands in `message_bip322`.
Source: Bitcoin Core, `MessageHash`; BIP 137 (values of the first byte); BIP 322 (legacy).
"""

import base64
import binascii

from custody.bitcoin.curve import verify_ecdsa
from custody.bitcoin.hashing import sha256d

_MAGIC = b"\x18Bitcoin Signed Message:\n"
_LENGTH = 65
_FIRST_BYTES = range(27, 43)
"""Uncompressed, compressed, segwit in P2SH, segwit; four recovery ids each."""
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def message_digest(message: bytes) -> bytes:
    """Return the 32 bytes that are signed for `message`."""
    return sha256d(_MAGIC + _compact_size(len(message)) + message)


def has_legacy_form(signature: str) -> bool:
    """Whether `signature` is 65 bytes in base64 with a known first byte; whose it is, is another question."""
    return _compact_of(signature) is not None


def verify_message(public_key: bytes, message: bytes, signature: str) -> bool:
    """Whether `signature` is the legacy signature of `message` by the 33-byte `public_key`.

    Junk of any kind is False, never an error. A high S counts: nothing rests on a message's
    signature having one form only.
    """
    compact = _compact_of(signature)
    if compact is None:
        return False
    r, s = int.from_bytes(compact[1:33], "big"), int.from_bytes(compact[33:], "big")
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        return False
    return verify_ecdsa(public_key, message_digest(message), _der(r, min(s, _ORDER - s)))


def _compact_of(signature: str) -> bytes | None:
    try:
        decoded = base64.b64decode(signature.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return decoded if len(decoded) == _LENGTH and decoded[0] in _FIRST_BYTES else None


def _compact_size(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    return b"\xfd" + number.to_bytes(2, "little") if number <= 0xFFFF else b"\xfe" + number.to_bytes(4, "little")


def _der(r: int, s: int) -> bytes:
    body = b"".join(b"\x02" + bytes([len(number)]) + number for number in (_der_integer(r), _der_integer(s)))
    return b"\x30" + bytes([len(body)]) + body


def _der_integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")
