"""What goes on an SD card for one signer, and how it is called.

Names are `[a-z0-9-]`, at most 32 characters and an ending. The first twelve tell them apart
(payment, then the cosigner's number in the vault), because small screens cut the rest off.
They fit FAT, differ also where case doesn't count, and never end as devices' own answers do.
Nothing here reads or writes.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MAX_STEM = 32
"""Characters of a name before its ending."""
_PAYMENT = 8
_NAME = 12
_PAGE = "-read-me"
_SUMS = "-sha256"
_BUNDLE = ".bundle"
EXPORTED_ENDINGS = (f"{_PAGE}.txt", f"{_SUMS}.txt", _BUNDLE)
"""Of what goes on a card beside the PSBT."""
_ANSWER_WORDS = ("signed", "part", "final")
"""Devices add these to a name, and some pass over files that have them already."""


class CardFileKind(StrEnum):
    """What a file on a card is."""

    PSBT = "psbt"
    BUNDLE = "bundle"
    PAGE = "page"
    CHECKSUMS = "checksums"


@dataclass(frozen=True, slots=True)
class CardFile:
    """A file to be written on a card."""

    kind: CardFileKind
    name: str
    cosigner: str
    content: bytes

    @property
    def sha256(self) -> str:
        """SHA-256 of the content, hex."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class CardDevice:
    """How one model of device deals with a card. The words are for the page that goes with the file."""

    model: str
    """What people call it."""
    reads_cards: bool
    takes_base64: bool
    """It wants the PSBT as base64 text instead of binary."""
    steps: tuple[str, ...]
    """What its holder does, in order; `{file}` stands for the file's name, `{cosigner}` for the cosigner's."""
    answer: str
    """What it writes back, in words; `{stem}` stands for the name without its ending."""
    screen: tuple[str, ...] = ()
    """Its screens in the order in which they come, where somebody read that."""
    change: str | None = None
    """What it does with an output that it takes for change, where somebody read that."""


ANY_DEVICE = CardDevice(
    model="your device",
    reads_cards=True,
    takes_base64=False,
    steps=(
        "Put the card into the device, choose to sign a file, and take {file}.",
        "If the device reads no card, open {file} with the program that drives it.",
    ),
    answer="a new file whose name begins with {stem} or has `signed` in it",
)
"""For a cosigner whose device nobody has described."""


def stem_of(proposal_id: str, number: int, cosigner: str) -> str:
    """Return the name without ending for cosigner `number` (from 1, in the vault's order).

    >>> stem_of("7087ca6767777e5e", 2, "central-bank")
    '7087ca67-2-central-bank'
    """
    words = _words_of(cosigner)
    return f"{proposal_id[:_PAYMENT]}-{number}-{words}" if words else f"{proposal_id[:_PAYMENT]}-{number}"


def rehearsal_name(rehearsal: int, number: int, cosigner: str) -> str:
    """Return the name of the file that cosigner `number` signs to prove a device.

    >>> rehearsal_name(1, 2, "central-bank")
    'rehearsal-1-central-bank.psbt'
    """
    return psbt_name(f"rehearsal-{rehearsal}-{_words_of(cosigner) or number}")


def filled(text: str, **words: str) -> str:
    """Return `text` with each `{name}` replaced; any other brace stays what it is, whoever wrote the text."""
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    return text


def _words_of(cosigner: str) -> str:
    """Return the part of a name that tells whose it is; empty where devices would take it for their own answer."""
    words = re.sub(r"[^a-z0-9]+", "-", cosigner.lower())[:_NAME].strip("-")
    return "" if any(word in words for word in _ANSWER_WORDS) else words


def psbt_name(stem: str) -> str:
    """Return the name of the PSBT that a device opens."""
    return f"{stem}.psbt"


def bundle_name(stem: str) -> str:
    """Return the name of the signer's bundle. Its ending keeps it out of a device's list."""
    return f"{stem}{_BUNDLE}"


def page_name(stem: str) -> str:
    """Return the name of the page for the person."""
    return f"{stem}{_PAGE}.txt"


def checksums_file(stem: str, cosigner: str, files: Iterable[CardFile]) -> CardFile:
    """Return the file that `sha256sum -c` reads, over `files`."""
    lines = "".join(f"{one.sha256}  {one.name}\n" for one in files)
    return CardFile(CardFileKind.CHECKSUMS, f"{stem}{_SUMS}.txt", cosigner, lines.encode())
