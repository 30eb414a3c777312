"""Encryption of BSMS records: PBKDF2 for the key, HMAC-SHA256 over the plaintext, AES-256 in counter mode.

The BIP's scheme is encrypt-and-MAC: the MAC covers the hex token and the plaintext, and its first 16
bytes are the IV. So a record has to be decrypted before its MAC can be checked. What is decrypted
stays inside this module until the MAC is found right, and nothing parses a byte of it before.
Counter mode has no padding whose errors could tell anything.

The MAC says that whoever made the record knew the token, and nothing more: with one token for all
signers each of them can write as any other. It hides neither the record's length nor that two records
are equal (the IV follows from the content).
Source: BIP 129, Key Derivation and Encryption Scheme.
"""

import hashlib
import hmac
import re

from custody.codes import Code
from custody.errors import CheckFailed
from custody.vault.bsms_token import Encryption, Token

MAX_BYTES = 100_000
"""The longest record that is read, as hex."""
_PASSWORD = b"No SPOF"
_ROUNDS = 2048
_KEY_LENGTH = 32
_MAC_LENGTH = 32
_IV_LENGTH = 16
_SEALED = re.compile(rb"\s*(?:[0-9a-fA-F]{2}){33,}\s*")


def encryption_key(token: Token) -> bytes:
    """Return the 32-byte ENCRYPTION_KEY of a token."""
    return hashlib.pbkdf2_hmac("sha512", _PASSWORD, token.value, _ROUNDS, _KEY_LENGTH)


def record_mac(token: Token, plaintext: bytes) -> bytes:
    """Return the 32-byte MAC of a record."""
    hmac_key = hashlib.sha256(encryption_key(token)).digest()
    return hmac.digest(hmac_key, token.hex.encode() + plaintext, "sha256")


def is_sealed(data: bytes) -> bool:
    """Whether the content has the shape of an encrypted record: hex, longer than a MAC."""
    return len(data) <= MAX_BYTES and _SEALED.fullmatch(data) is not None


def seal(token: Token, plaintext: bytes) -> bytes:
    """Return the content of the record's file: MAC and ciphertext in hex; with the token `00`, the plaintext."""
    if token.encryption is Encryption.NONE:
        return plaintext
    mac = record_mac(token, plaintext)
    return (mac + _in_counter_mode(encryption_key(token), mac[:_IV_LENGTH], plaintext)).hex().encode()


def unseal(token: Token, data: bytes) -> bytes:
    """Return the plaintext of a record's file, whose MAC is right for the token.

    With the token `00` the content is returned as it is: there is no MAC.

    Raises:
        CheckFailed: BSMS_TOKEN_MISMATCH, the file is encrypted and the token says that it is not, or
            the other way round; BSMS_MAC, the MAC is wrong.
    """
    if is_sealed(data) is (token.encryption is Encryption.NONE):
        what = "is encrypted, and no encryption was agreed on" if is_sealed(data) else "is not encrypted, as was agreed"
        raise CheckFailed(
            Code.BSMS_TOKEN_MISMATCH,
            f"the record {what}",
            advice="Don't use it; ask its sender over another channel which setup it is for.",
        )
    if token.encryption is Encryption.NONE:
        return data
    raw = bytes.fromhex(data.decode("ascii").strip())
    mac, ciphertext = raw[:_MAC_LENGTH], raw[_MAC_LENGTH:]
    plaintext = _in_counter_mode(encryption_key(token), mac[:_IV_LENGTH], ciphertext)
    if not hmac.compare_digest(mac, record_mac(token, plaintext)):
        raise CheckFailed(
            Code.BSMS_MAC,
            "the record's MAC is not that of its content under this token",
            advice="Check the token; if it is right, the record was changed on its way: raise the alarm.",
        )
    return plaintext


def _in_counter_mode(key: bytes, iv: bytes, content: bytes) -> bytes:
    """Encrypt or decrypt, which is the same in this mode."""
    # Only a setup pays for loading OpenSSL's ciphers.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES256(key), modes.CTR(iv)).encryptor()
    return cipher.update(content) + cipher.finalize()
