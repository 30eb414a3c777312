"""Read what lies on a card: by content, one level deep, within limits, plain files only.

A file is read whole, once, into memory, where its first bytes or its name say that it may be
a PSBT or a transaction; what is judged later are those bytes. Everything else is named with
the reason for which it was passed over. Links, pipes and devices are never opened.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from custody.atomic import Folder, opened_folder
from custody.bitcoin.psbt_fields import MAGIC
from custody.bitcoin.psbt_reader import MAX_BYTES
from custody.codes import Code
from custody.documents.secret_gate import scan_bytes
from custody.errors import CustodyError, InvalidInput, SecretRefused
from custody.spend.card import EXPORTED_ENDINGS

MAX_NAMES = 1_000
MAX_FILE = 2 * MAX_BYTES + 100
"""A PSBT at the limit of its size, written in hex."""
MAX_TOTAL = 256_000_000
"""Bytes of all files that are read whole."""

_START = 64
_ENDINGS = (".psbt", ".txn", ".tx")
_BASE64 = b"cHNidP"
_HEX_START = re.compile(rb"(?:70736274ff|0[123]000000)[0-9a-f]*", re.IGNORECASE)
_BINARY_START = re.compile(rb"[\x01-\x03]\x00\x00\x00", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One name on a card."""

    name: str
    data: bytes | None
    """None where it was not read whole; empty where it was blanked."""
    passed_over: str | None = None
    """Why it was not read, in words."""
    refused: CustodyError | None = None
    """Why it must not be used, where that was found while reading."""


def read_card(path: Path) -> tuple[FoundFile, ...]:
    """Return everything in the folder, sorted by name.

    Raises:
        InvalidInput: FILE_NOT_FOUND, FILE_NOT_REGULAR, PATH_UNSAFE (a symbolic link), or FILE_TOO_LARGE for a folder
            with more names or bytes than a card of ours ever has.
    """
    with opened_folder(path) as card:
        names = card.names()
        if len(names) > MAX_NAMES:
            raise _too_much(path, f"more than {MAX_NAMES} files")
        found: list[FoundFile] = []
        left = MAX_TOTAL
        for name in names:
            found.append(_read(card, name))
            left -= len(found[-1].data or b"")
            if left < 0:
                raise _too_much(path, f"more than {MAX_TOTAL} bytes that may be payments")
        return tuple(found)


def _read(card: Folder, name: str) -> FoundFile:
    if name.startswith("."):
        return FoundFile(name, None, "hidden: an operating system's or an unfinished file")
    try:
        start = card.read_start(name, _START)
        if not _may_be_payment(start) and not name.lower().endswith(_ENDINGS):
            return FoundFile(name, None, _stranger(name))
        data = card.read(name, max_bytes=MAX_FILE)
        scan_bytes(data, place=f"file `{name}`")
    except SecretRefused as error:
        return FoundFile(name, None, refused=error)
    except InvalidInput as error:
        return _unreadable(name, error)
    if not _is_blank(data) and not _may_be_payment(data[:_START]):
        return FoundFile(name, None, refused=_junk(name))
    return FoundFile(name, b"" if _is_blank(data) else data)


def _is_blank(data: bytes) -> bool:
    """Whether a device blanked the file: it holds nothing, or one value all over."""
    return not data.strip(b"\x00") or not data.strip(b"\xff")


def _stranger(name: str) -> str:
    return "written by the export" if name.endswith(EXPORTED_ENDINGS) else "neither a PSBT nor a transaction"


def _junk(name: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_PSBT,
        f"`{name}` is called a payment and is neither a PSBT nor a transaction",
        advice="Sign again on the device and save its result; a card that spoils files is due for the bin.",
    )


def _may_be_payment(start: bytes) -> bool:
    text = start.lstrip(b" \t\r\n")
    return (
        start.startswith(MAGIC)
        or text.startswith(_BASE64)
        or _HEX_START.match(text) is not None
        or _BINARY_START.match(start) is not None
    )


def _unreadable(name: str, error: InvalidInput) -> FoundFile:
    words = {
        Code.PATH_UNSAFE: "a symbolic link: not followed",
        Code.FILE_NOT_REGULAR: "a folder, or no plain file: not looked into",
        Code.FILE_NOT_FOUND: "it vanished while the folder was read",
    }.get(error.code)
    return FoundFile(name, None, words) if words is not None else FoundFile(name, None, refused=error)


def _too_much(path: Path, what: str) -> InvalidInput:
    return InvalidInput(
        Code.FILE_TOO_LARGE,
        f"`{path}` holds {what}",
        advice="Nothing was recorded. Copy what the signers returned into a folder of its own and name that.",
    )
