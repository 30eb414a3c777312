"""Messages signed in BIP 322's simple form by the key of a pay-to-witness-pubkey-hash script.

Of the BIP's forms this one and the legacy one (`message.py`) can be a single key's. The signature is the
witness of a transaction that is never sent: it spends an output whose script is the key's own, and whose
existence commits to the message. Full signatures, proofs of funds and scripts of other kinds are not read.
Source: BIP 322, Simple and Detailed Specification; BIP 143; BIP 340 (tagged hash).
"""

import base64
import binascii
import hashlib

from custody.bitcoin.amount import sats
from custody.bitcoin.curve import is_low_s, verify_ecdsa
from custody.bitcoin.hashing import hash160
from custody.bitcoin.sighash import SIGHASH_ALL, SegwitV0Hasher
from custody.bitcoin.transaction import (
    ByteReader,
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    read_witness,
)
from custody.codes import Code
from custody.errors import InvalidInput

_PREFIX = "smp"
"""Of the simple form; older software writes none."""
_TAG = hashlib.sha256(b"BIP0322-signed-message").digest()
_NO_OUTPOINT = OutPoint("00" * 32, 0xFFFFFFFF)
_OP_RETURN = b"\x6a"


def message_hash(message: bytes) -> bytes:
    """Return the 32 bytes that the output to spend commits to."""
    return hashlib.sha256(_TAG + _TAG + message).digest()


def to_spend(message: bytes, script_pubkey: bytes) -> Transaction:
    """Return the BIP's first transaction, which nothing can include."""
    commitment = TxInput(_NO_OUTPOINT, b"\x00\x20" + message_hash(message), 0)
    return Transaction(0, (commitment,), (TxOutput(sats(0), script_pubkey),), 0)


def to_sign(message: bytes, script_pubkey: bytes) -> Transaction:
    """Return the BIP's second transaction, without its witness."""
    spent = TxInput(OutPoint(to_spend(message, script_pubkey).txid, 0), b"", 0)
    return Transaction(0, (spent,), (TxOutput(sats(0), _OP_RETURN),), 0)


def has_simple_form(signature: str) -> bool:
    """Whether `signature` is a witness of two items in base64, with the BIP's prefix or without."""
    return _witness_of(signature) is not None


def verify_simple(public_key: bytes, message: bytes, signature: str) -> bool:
    """Whether `signature` is the 33-byte key's for `message`, by its pay-to-witness-pubkey-hash script.

    Junk of any kind is False, never an error.
    """
    witness = _witness_of(signature)
    if witness is None or witness[1] != public_key or witness[0][-1:] != bytes([SIGHASH_ALL]):
        return False
    key_hash = hash160(public_key)
    hasher = SegwitV0Hasher(to_sign(message, b"\x00\x14" + key_hash))
    digest = hasher.digest(0, b"\x76\xa9\x14" + key_hash + b"\x88\xac", 0)
    return is_low_s(witness[0][:-1]) and verify_ecdsa(public_key, digest, witness[0][:-1])


def _witness_of(signature: str) -> tuple[bytes, bytes] | None:
    try:
        decoded = base64.b64decode(signature.removeprefix(_PREFIX).encode("ascii"), validate=True)
        reader = ByteReader(decoded, Code.BSMS_SIG)
        items = read_witness(reader)
        reader.require_end()
    except (binascii.Error, UnicodeEncodeError, InvalidInput):
        return None
    return (items[0], items[1]) if len(items) == 2 else None
