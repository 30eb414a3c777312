"""Recognises a seed written as words or as digits: BIP 39, SLIP 39, SeedQR.

Order, case, spacing, numbering and markup between the words don't matter, one word may be
mistyped or missing, and no checksum is asked for: a phrase with a typo is still a secret.
Ordinary prose passes, because its commonest words (the, of, and, to) are in no list.
Other languages' lists and Electrum's first list are not known here.
Source: BIP 39; SLIP 39; SeedSigner's SeedQR format.
"""

import functools
import re

from custody.documents.secret_kinds import SecretKind

_WORD = re.compile(r"[a-z]{2,}|(?<=[a-z])\(| [=!<>]?= ")
"""A word, or a sign of program text between words (a call, a member, an assignment), which is in no list."""
_BESIDE_WORDS = frozenset(("st", "nd", "rd", "th", "no", "br", "li", "td", "tr", "word"))
"""What may stand between the words of a phrase: endings of ordinals, list markup, `word 1:`."""
_ESCAPED_BREAK = re.compile(r"\\[nrt]")

_JSON_WORDS = frozenset(("true", "false"))
"""Words of the list that a document may well repeat."""

_MNEMONIC_RUN = 11
"""Words of the list in a row, one stranger among them allowed: the shortest phrase has twelve."""
_SHARE_RUN = 19
"""The same for SLIP 39, whose shortest share has twenty words."""
_JOINED_LETTERS = 33
"""Letters in the shortest phrase written without any space: eleven words of three."""

_SEED_QR_LENGTHS = frozenset((48, 60, 72, 84, 96))
_DIGITS = re.compile(r"(?<![0-9A-Za-z])[0-9]{48,96}(?![0-9A-Za-z])")
_DIGIT_GROUPS = re.compile(
    r"(?<![0-9A-Za-z])[0-9]{4}(?:(?:[ \t,;|-]{1,3}|[ \t,;|-]{0,2}\r?\n[ \t-]{0,4})[0-9]{4}){11,23}(?![0-9A-Za-z])"
)


def find_phrase(text: str) -> SecretKind | None:
    """Return the kind of phrase that `text` holds, None if it holds none. Linear in its length."""
    lowered = text.lower()
    if "\\" in lowered:
        # Inside JSON a line break is written as two characters, and its letter would stick to the next word.
        lowered = _ESCAPED_BREAK.sub(" ", lowered)
    words = [word for word in _WORD.findall(lowered) if word not in _BESIDE_WORDS]
    if len(words) >= _MNEMONIC_RUN:
        if _has_run(words, _bip39_forms(), _MNEMONIC_RUN):
            return SecretKind.MNEMONIC
        if len(words) >= _SHARE_RUN and _has_run(words, _slip39_forms(), _SHARE_RUN):
            return SecretKind.SLIP39_SHARE
    if any(len(word) >= _JOINED_LETTERS and _is_joined_phrase(word) for word in words):
        return SecretKind.MNEMONIC
    return None


def find_digits(text: str) -> SecretKind | None:
    """Return SEED_QR if `text` holds word numbers of BIP 39, four digits each, else None."""
    for match in _DIGITS.finditer(text):
        if len(match[0]) in _SEED_QR_LENGTHS and _all_word_numbers(match[0]):
            return SecretKind.SEED_QR
    for match in _DIGIT_GROUPS.finditer(text):
        digits = "".join(character for character in match[0] if character.isdigit())
        # A list of years looks alike, but hardly ever has a number below 1000.
        if _all_word_numbers(digits) and "0" in digits[::4]:
            return SecretKind.SEED_QR
    return None


def _all_word_numbers(digits: str) -> bool:
    return all(digits[start : start + 4] < "2048" for start in range(0, len(digits), 4))


def _has_run(words: list[str], forms: frozenset[str], length: int) -> bool:
    known = bytes(map(forms.__contains__, words))
    if b"\1" * ((length + 1) // 2) not in known:
        return False
    before = slice(0, 0)
    start = 0
    for run in known.split(b"\0"):
        here = slice(start, start + len(run))
        start += len(run) + 1
        if len(run) + before.stop - before.start >= length and _looks_drawn(words[before] + words[here], length):
            return True
        before = here
    return False


def _looks_drawn(words: list[str], length: int) -> bool:
    """Whether `length` of the words look drawn at random, or are one word again and again as in test phrases."""
    for start in range(len(words) - length + 1):
        window = words[start : start + length]
        if len(set(window)) * 11 >= length * 8:
            return True
        if window[1] not in _JSON_WORDS and window.count(window[1]) >= length - 1:
            return True
    return False


def _is_joined_phrase(letters: str) -> bool:
    """Whether `letters` begins with eleven words of BIP 39 without a space between them."""
    words = _bip39_words()
    reached = {0}
    for _word in range(_MNEMONIC_RUN):
        reached = {start + size for start in reached for size in range(3, 9) if letters[start : start + size] in words}
    return bool(reached)


@functools.cache
def _bip39_words() -> frozenset[str]:
    # Imported where it is used: most texts are too short to need the list.
    from custody.documents.bip39_english import BIP39_ENGLISH

    return frozenset(BIP39_ENGLISH.split())


@functools.cache
def _bip39_forms() -> frozenset[str]:
    """Every word, and its first four letters, which identify it."""
    return _bip39_words() | {word[:4] for word in _bip39_words()}


@functools.cache
def _slip39_forms() -> frozenset[str]:
    from custody.documents.slip39_english import SLIP39_ENGLISH

    words = SLIP39_ENGLISH.split()
    return frozenset(words) | {word[:4] for word in words}
