"""Recognises private keys that are one string: xprv, WIF, BIP 38, codex32, UR, key files.

A key that stands alone needs no right checksum, because a mistyped key is still a secret.
Inside binary data, where nothing marks its ends, the checksum decides.
Source: BIP 32, SLIP 132 (prefixes), BIP 38, BIP 93, BCR-2020-006 (UR types), Bitcoin Wiki
(WIF, mini private keys).
"""

import functools
import hashlib
import itertools
import re
from collections.abc import Callable

from custody.documents.secret_kinds import SecretKind

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_DIGIT = {character: value for value, character in enumerate(_BASE58)}
_NOT_BASE58 = re.compile(r"[0OIl]")
_MAX_STRANGERS = 3
"""Characters outside base58 that a mistyped key may have."""

_EXTENDED_PREFIXES = frozenset("xtyzuvYZUV")
_EXTENDED_MIN = 30
"""Characters after `xprv` that make it a key, cut short or mistyped: a whole one has 107."""
_MAX_UNANCHORED_TRIALS = 20_000
"""Checksums computed inside binary data before giving up, so that hostile data costs no time."""


def find_key_string(text: str) -> SecretKind | None:
    """Return the kind of private key that stands in `text`, None if none does. Linear in its length."""
    if _has_extended_key(text):
        return SecretKind.EXTENDED_PRIVATE_KEY
    for kind, pattern, confirm in _standing_alone():
        if any(confirm(match[0]) for match in pattern.finditer(text)):
            return kind
    return _find_regrouped(text)


def find_unanchored_key(text: str) -> SecretKind | None:
    """Return the kind of base58 key with a right checksum anywhere in `text`, whatever surrounds it."""
    candidates = _pattern(r"(?=([5KL9c][1-9A-HJ-NP-Za-km-z]{50,51})|(6P[1-9A-HJ-NP-Za-km-z]{56}))").finditer(text)
    for match in itertools.islice(candidates, _MAX_UNANCHORED_TRIALS):
        if match[2] is not None:
            if _has_checksum(match[2], 43):
                return SecretKind.ENCRYPTED_KEY
        elif _is_wif(match[1]) or _is_wif(match[1][:51]):
            return SecretKind.WIF_KEY
    return None


def _has_extended_key(text: str) -> bool:
    at = text.find("prv", 1)
    while at >= 0:
        if text[at - 1] in _EXTENDED_PREFIXES and _is_extended_key(text, at):
            return True
        at = text.find("prv", at + 3)
    return False


def _is_extended_key(text: str, at: int) -> bool:
    following = text[at + 3 : at + 260]
    whole = _pattern(r"[1-9A-HJ-NP-Za-km-z]*").match(following)
    if whole is not None and len(whole[0]) >= 90:
        return True
    if at >= 2 and _pattern(r"[0-9A-Za-z+/]").match(text[at - 2]):
        # In the middle of a word or of base64: chance, unless it is long.
        return False
    return _looks_random("".join(following.split()), _EXTENDED_MIN)


def _looks_random(text: str, length: int) -> bool:
    run = _pattern(r"[0-9A-Za-z]*").match(text)
    token = run[0][:110] if run is not None else ""
    return (
        len(token) >= length
        and _is_mixed(token[:length])
        and sum(character.isdigit() for character in token[:length]) >= 3
        and len(_NOT_BASE58.findall(token)) <= _MAX_STRANGERS
    )


def _find_regrouped(text: str) -> SecretKind | None:
    """Look again at a short text without its spaces: people write keys in groups."""
    joined = "".join(text.split())
    if len(text) > 400 or len(joined) == len(text) or len(joined) > 130:
        return None
    for kind, pattern, confirm in _standing_alone():
        match = pattern.fullmatch(joined)
        if match is not None and confirm(joined):
            return kind
    return None


@functools.cache
def _pattern(expression: str) -> re.Pattern[str]:
    # Compiled at first use: a command that reads no text shouldn't pay for these.
    return re.compile(expression)


@functools.cache
def _standing_alone() -> tuple[tuple[SecretKind, re.Pattern[str], Callable[[str], bool]], ...]:
    alone = r"(?<![0-9A-Za-z+/])(?:{})(?![0-9A-Za-z+/=])"
    wif = (
        r"[59][0-9A-Za-z]{50}|[KLc][0-9A-Za-z]{51}"
        r"|(?:5[HJK]|9[1-3])[0-9A-Za-z]{48,50}|(?:K[w-z]|L[1-5]|c[M-V])[0-9A-Za-z]{49,51}"
    )
    bech32 = "ac-hj-np-z02-9"
    codex32 = rf"\b(?:ms|cl)1(?:[ -]?[{bech32}]){{42,124}}|\b(?:MS|CL)1(?:[ -]?[{bech32.upper()}]){{42,124}}"
    uniform = r"(?i:\bur:(?:crypto-)?(?:seed|bip39|sskr|slip39|eckey)/[0-9a-z])"
    key_file = (
        r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
        r"|b3BlbnNzaC1rZXktdjE|PuTTY-User-Key-File-|AGE-SECRET-KEY-1|\bnsec1[ac-hj-np-z02-9]{58}"
    )
    return (
        (SecretKind.WIF_KEY, re.compile(alone.format(wif)), _is_mistyped_base58),
        (SecretKind.ENCRYPTED_KEY, re.compile(alone.format(r"6P[0-9A-Za-z]{55,57}")), _is_mistyped_base58),
        (SecretKind.MINI_KEY, re.compile(alone.format(r"S(?:[0-9A-Za-z]{21}|[0-9A-Za-z]{29})")), _is_mini_key),
        (SecretKind.CODEX32, re.compile(codex32), bool),
        (SecretKind.SEED_UR, re.compile(uniform), bool),
        (SecretKind.KEY_FILE, re.compile(key_file), bool),
    )


def _is_mistyped_base58(token: str) -> bool:
    return _is_mixed(token) and len(_NOT_BASE58.findall(token)) <= _MAX_STRANGERS


def _is_mixed(token: str) -> bool:
    """Whether upper case, lower case and digits all occur, which rules out hex, words and bech32."""
    return (
        any("a" <= character <= "z" for character in token)
        and any("A" <= character <= "Z" for character in token)
        and any("1" <= character <= "9" for character in token)
    )


def _is_mini_key(token: str) -> bool:
    # The format's own check: the hash of the key and a question mark begins with a zero byte.
    return _is_mistyped_base58(token) and hashlib.sha256(f"{token}?".encode()).digest()[0] == 0


def _is_wif(token: str) -> bool:
    if len(token) == 51:
        return token[0] in "59" and _has_checksum(token, 37)
    return token[0] in "KLc" and _has_checksum(token, 38)


def _has_checksum(token: str, size: int) -> bool:
    number = 0
    for character in token:
        number = number * 58 + _BASE58_DIGIT[character]
    if number >> (8 * size):
        return False
    raw = number.to_bytes(size, "big")
    return hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]
