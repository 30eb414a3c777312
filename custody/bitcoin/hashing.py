"""The three hashes that Bitcoin's keys, scripts and addresses are made with.

RIPEMD-160 comes from the interpreter's OpenSSL where that still offers it; otherwise from
`ripemd160.py`, because distributions have begun to switch the old hash off.
"""

import hashlib
from collections.abc import Callable

from custody.bitcoin.ripemd160 import ripemd160 as _portable_ripemd160


def sha256(message: bytes) -> bytes:
    """Return the 32-byte SHA-256 of `message`."""
    return hashlib.sha256(message).digest()


def sha256d(message: bytes) -> bytes:
    """Return SHA-256 of SHA-256 of `message`: txids (byte-reversed on display), base58check."""
    return hashlib.sha256(hashlib.sha256(message).digest()).digest()


def _openssl_ripemd160(message: bytes) -> bytes:
    return hashlib.new("ripemd160", message, usedforsecurity=False).digest()


def _choose_ripemd160() -> Callable[[bytes], bytes]:
    try:
        _openssl_ripemd160(b"")
    except ValueError:
        return _portable_ripemd160
    return _openssl_ripemd160


_ripemd160 = _choose_ripemd160()


def hash160(message: bytes) -> bytes:
    """Return the 20-byte RIPEMD-160 of SHA-256 of `message`: key fingerprints, P2SH, P2WPKH."""
    return _ripemd160(sha256(message))
