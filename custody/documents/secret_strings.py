"""Recognises private keys that are one string: xprv, WIF, BIP 38, codex32, UR, key files.

A key that stands alone needs no right checksum, because a mistyped key is still a secret.
Inside binary data, where nothing marks its ends, the checksum decides.
Source: BIP 32, SLIP 132 (prefixes), BIP 38, BIP 93, BCR-2020-006 (UR types), Bitcoin Wiki
(WIF, mini private keys).
"""

import functools
import re

from custody.documents.secret_kinds import SecretKind

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_DIGIT = {character: value for value, character in enumerate(_BASE58)}
_NOT_BASE58 = re.compile(r"[0OIl]")
_MAX_STRANGERS = 3
"""Characters outside base58 that a mistyped key may have."""

_EXTENDED_PREFIXES = frozenset("xtyzuvYZUV")
_EXTENDED_MIN = 30
"""Characters after `xprv` that make it a key, cut short or mistyped: a whole one has 107."""
_MAX_TRIALS = 20_000
"""Candidates looked at closely in one text. More never occur by chance, and are refused for it."""

_WIF = (
    r"[59].{50}|[KLc].{51}"  # a whole key, even one that is mistyped in its second character
    r"|(?:5[HJK]|9[1-3]).{48,50}|(?:K[w-z]|L[1-5]|c[M-V]).{49,51}"  # a character short, or one too long
)
_BECH32 = "ac-hj-np-z02-9"
_CODEX32 = rf"\b(?:ms|cl)1(?:[ -]?[{_BECH32}]){{42,124}}|\b(?:MS|CL)1(?:[ -]?[{_BECH32.upper()}]){{42,124}}"
_SEED_UR = r"(?i:\bur:(?:crypto-)?(?:seed|bip39|sskr|slip39|eckey)/[0-9a-z])"
_PEM = r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----|\bnsec1[ac-hj-np-z02-9]{58}"
_KEY_FILE_MARKS = ("b3BlbnNzaC1rZXktdjE", "PuTTY-User-Key-File-", "AGE-SECRET-KEY-1")
_TOKEN_LENGTHS = frozenset((22, 30, *range(50, 60)))


def find_key_string(text: str) -> SecretKind | None:
    """Return the kind of private key that stands in `text`, None if none does. Linear in its length."""
    if _has_extended_key(text):
        return SecretKind.EXTENDED_PRIVATE_KEY
    return _find_token(text) or _find_marked(text) or _find_regrouped(text)


def find_unanchored_key(text: str) -> SecretKind | None:
    """Return the kind of base58 key with a right checksum anywhere in `text`, whatever surrounds it."""
    candidates = _pattern(r"(?=([5KL9c][1-9A-HJ-NP-Za-km-z]{50,51})|(6P[1-9A-HJ-NP-Za-km-z]{56}))").finditer(text)
    for trial, match in enumerate(candidates):
        if match[2] is not None:
            if _has_checksum(match[2], 43):
                return SecretKind.ENCRYPTED_KEY
        elif _is_wif(match[1]) or _is_wif(match[1][:51]) or trial > _MAX_TRIALS:
            return SecretKind.WIF_KEY
    return None


def _has_extended_key(text: str) -> bool:
    at = text.find("prv", 1)
    trials = 0
    while at >= 0:
        if text[at - 1] in _EXTENDED_PREFIXES:
            trials += 1
            if trials > _MAX_TRIALS or _is_extended_key(text, at):
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


def _find_token(text: str) -> SecretKind | None:
    """Look at each run of letters and digits that has a key's length and stands alone, not inside base64."""
    for match in _pattern(r"[0-9A-Za-z]{22,}").finditer(text):
        start, end = match.span()
        if (
            end - start not in _TOKEN_LENGTHS
            or text[start - 1 : start] in ("+", "/")
            or text[end : end + 1] in ("+", "/", "=")
        ):
            continue
        kind = _kind_of_token(match[0])
        if kind is not None:
            return kind
    return None


def _kind_of_token(token: str) -> SecretKind | None:
    if not _is_mistyped_base58(token):
        return None
    if _pattern(_WIF).fullmatch(token):
        return SecretKind.WIF_KEY
    if token.startswith("6P") and 57 <= len(token) <= 59:
        return SecretKind.ENCRYPTED_KEY
    if token[0] == "S" and len(token) in (22, 30) and _is_mini_key(token):
        return SecretKind.MINI_KEY
    return None


def _find_marked(text: str) -> SecretKind | None:
    """Look for the formats that say what they are; the plain search before each pattern is what makes it quick."""
    if any(mark in text for mark in ("ms1", "cl1", "MS1", "CL1")) and _pattern(_CODEX32).search(text):
        return SecretKind.CODEX32
    if "ur:" in text.lower() and _pattern(_SEED_UR).search(text):
        return SecretKind.SEED_UR
    if any(mark in text for mark in _KEY_FILE_MARKS) or _pattern(_PEM).search(text):
        return SecretKind.KEY_FILE
    return None


def _find_regrouped(text: str) -> SecretKind | None:
    """Look again at a short text without its spaces: people write keys in groups."""
    joined = "".join(text.split())
    if len(text) > 400 or len(joined) == len(text) or len(joined) > 130 or not joined.isalnum():
        return None
    return _find_token(joined)


@functools.cache
def _pattern(expression: str) -> re.Pattern[str]:
    # Compiled at first use: a command that reads no text shouldn't pay for these.
    return re.compile(expression)


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
    return _is_mistyped_base58(token) and _sha256(f"{token}?".encode())[0] == 0


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
    return _sha256(_sha256(raw[:-4]))[:4] == raw[-4:]


def _sha256(message: bytes) -> bytes:
    import hashlib  # brings OpenSSL: a command line without a key-like string shouldn't pay for it

    return hashlib.sha256(message).digest()
