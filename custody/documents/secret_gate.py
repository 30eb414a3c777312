"""The gate at every input: private keys and seeds are refused before anything keeps them.

This program needs none, so whatever looks like one is a mistake that must not spread into
a journal, a log or a backup. The gate reads text, binary data and command lines; it knows
kinds, not values, and no message of it holds a character of what it found. It cannot know
a secret without form: 32 random bytes, or bare hex without a word beside it, pass.
"""

import binascii
import re
from collections.abc import Sequence
from typing import NoReturn

from custody.codes import Code
from custody.documents.display import escape
from custody.documents.secret_fields import find_named_hex, find_named_secret
from custody.documents.secret_kinds import SecretKind as SecretKind
from custody.documents.secret_strings import find_key_string, find_unanchored_key
from custody.documents.secret_words import find_digits, find_phrase
from custody.errors import SecretRefused

_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")

_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]{20,}")
_WIDE = re.compile(rb"(?:[\t\n\r\x20-\x7e]\x00){20,}|(?:\x00[\t\n\r\x20-\x7e]){20,}")
"""ASCII as UTF-16 in either byte order."""

_RAW_EXTENDED_KEY = re.compile(
    rb"(?s)(?:\x04\x88\xad\xe4|\x04\x35\x83\x94|\x04\x9d\x78\x78|\x04\xb2\x43\x0c|\x04\x4a\x4e\x28|\x04\x5f\x18\xbc"
    rb"|\x02\x95\xb0\x05|\x02\xaa\x7a\x99|\x02\x42\x85\xb5|\x02\x57\x50\x48).{41}\x00.{32}"
)
"""The 78 bytes of BIP 32 with a private version (those of SLIP 132 too) and a private key."""


def find_secret(text: str) -> SecretKind | None:
    """Return the kind of private material in `text`, None if there is none. Linear in its length."""
    psbt = _psbt_in_text(text)
    if psbt is not None:
        return _find_in_binary(psbt)
    if not text.isascii():
        text = _folded(text)
    return _find_in_plain_text(text)


def scan_text(text: str, *, place: str) -> None:
    """Refuse `text` if it holds private material. `place` names it for people: `argument 3`, `stdin`.

    Raises:
        SecretRefused: it does. Names kind and place, never the value.
    """
    kind = find_secret(text)
    # INVARIANT: the frame that raises holds no text, so that no crash report can print it.
    del text
    if kind is not None:
        _refuse(kind, place)


def scan_bytes(data: bytes, *, place: str) -> None:
    """Refuse `data`, text in UTF-8 or UTF-16 or binary, if it holds private material.

    Raises:
        SecretRefused: it does. Names kind and place, never the value.
    """
    kind = _find_in_data(data)
    del data
    if kind is not None:
        _refuse(kind, place)


def scan_arguments(arguments: Sequence[str]) -> None:
    """Refuse a command line, without the program's name, that holds private material.

    Each argument is read by itself, then with the option before it, then all together,
    because a phrase may come as twelve arguments.

    Raises:
        SecretRefused: it does. Places are `argument N`, from 1, or `the arguments together`.
    """
    kind, place = _find_in_arguments(arguments)
    del arguments
    if kind is not None:
        _refuse(kind, place)


def _find_in_arguments(arguments: Sequence[str]) -> tuple[SecretKind | None, str]:
    option = ""
    for number, argument in enumerate(arguments, start=1):
        kind = find_secret(argument)
        if kind is None and option:
            kind = find_named_hex(f"{option} {argument}")
        if kind is not None:
            return kind, f"argument {number}"
        option = argument if argument.startswith("-") else ""
    together = " ".join(arguments)
    return find_phrase(together) or find_digits(together), "the arguments together"


def _find_in_data(data: bytes) -> SecretKind | None:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return find_secret(data.decode("utf-16", errors="replace")) or _find_in_binary(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _find_in_binary(data)
    return find_secret(text) or (_find_in_binary(data) if "\0" in text else None)


def _find_in_binary(data: bytes) -> SecretKind | None:
    if _RAW_EXTENDED_KEY.search(data) is not None:
        return SecretKind.EXTENDED_PRIVATE_KEY
    whole = data.decode("latin-1")
    # What stands in a string is found in the printable stretches, which keeps megabytes of binary quick.
    printable = b"\n".join(_PRINTABLE.findall(data)).decode("latin-1")
    wide = b"\n".join(_WIDE.findall(data)).replace(b"\0", b"").decode("latin-1")
    return (
        find_phrase(whole)
        or _find_in_plain_text(printable)
        or find_unanchored_key(printable)
        or _find_in_plain_text(wide)
    )


def _find_in_plain_text(text: str) -> SecretKind | None:
    return find_key_string(text) or find_phrase(text) or find_digits(text) or find_named_secret(text)


def _folded(text: str) -> str:
    """Return `text` with full-width and styled letters as plain ones, without invisible characters."""
    import unicodedata  # only texts that aren't ASCII need its tables

    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def _psbt_in_text(text: str) -> bytes | None:
    """Return the bytes of a text that is one PSBT in base64 or hex: its own bytes are what is scanned."""
    start = text[:64].lstrip()
    try:
        if start.startswith("cHNid"):
            return binascii.a2b_base64("".join(text.split()), strict_mode=True)
        if start[:10].lower() == "70736274ff":
            return bytes.fromhex(text.strip())
    except (binascii.Error, ValueError):
        return None
    return None


def _refuse(kind: SecretKind, place: str) -> NoReturn:
    shown = "the input" if find_secret(place) is not None else escape(place)
    raise SecretRefused(
        Code.SECRET_MATERIAL,
        f"{shown} holds what looks like {kind}",
        advice="Treat the secret as burnt: move the coins that it controls to new keys, delete it here and from the "
        "shell's history, and give this program public keys only.",
        details={"kind": kind.name, "place": shown},
    )
