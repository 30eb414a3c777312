"""Secrets for tests, all published in BIPs or made up here from fixed numbers; none was ever funded by us."""

import hashlib

from custody.documents.bip39_english import BIP39_ENGLISH

WORDS = tuple(BIP39_ENGLISH.split())


def phrase(seed: str, count: int = 12) -> list[str]:
    """Return `count` words drawn by a hash of `seed`, without any regard for the checksum."""
    drawn = [hashlib.sha256(f"{seed}/{number}".encode()).digest() for number in range(count)]
    return [WORDS[int.from_bytes(digest[:2], "big") % 2048] for digest in drawn]


def base58check(payload: bytes) -> str:
    """Encode a test key; written for tests alone, so that the gate isn't judged by its own code."""
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    raw = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = alphabet[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def wif(seed: str, *, version: int, compressed: bool) -> str:
    """Return a private key that nobody uses, in wallet import format."""
    return base58check(bytes([version]) + hashlib.sha256(seed.encode()).digest() + (b"\1" if compressed else b""))


def extended(seed: str, *, version: str, private: bool) -> str:
    """Return an extended key with the four version bytes in hex; the public one is 02 and a hash, hardly a point."""
    digest = hashlib.sha256(seed.encode()).digest()
    return base58check(bytes.fromhex(version) + bytes(9) + digest + (b"\0" if private else b"\2") + digest)


PRIVATE_VERSIONS = ("0488ade4", "04358394", "049d7878", "04b2430c", "0295b005", "02aa7a99", "044a4e28", "045f18bc",
                    "024285b5", "02575048")  # fmt: skip
PUBLIC_VERSIONS = ("0488b21e", "043587cf", "049d7cb2", "04b24746", "0295b43f", "02aa7ed3", "044a5262", "045f1cf6",
                   "024289ef", "02575483")  # fmt: skip
