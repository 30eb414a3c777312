r"""Text that others wrote, made safe to show: on a terminal, in a message, in a spreadsheet.

What could move the cursor, reverse the reading order, hide, or open a second line appears
as `\u{202E}`. Letters that merely look alike stay as they are: identifiers (addresses,
names, hashes) are ASCII by their own rules and never rest on this module.
Source: Unicode general categories; Unicode TR36 (security); OWASP, CSV injection.
"""

import re

_BLANK_LETTERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Printable by category but without a glyph: fillers, joiners and variation selectors."""

_FORMULA_START = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters that spreadsheets take for a formula, with their full-width forms."""


def escape(text: str) -> str:
    r"""Return `text` with every character that is invisible or acts on a screen written as `\u{XXXX}`.

    These are control, format, unassigned and private characters, surrogates, line and
    paragraph separators, spaces other than the ASCII one, and letters without a glyph.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def group_address(address: str) -> str:
    """Return `address` in groups of four characters, for reading aloud and comparing by eye."""
    return " ".join(address[start : start + 4] for start in range(0, len(address), 4))


def csv_cell(text: str) -> str:
    """Return `text` for one cell of a spreadsheet, so that it can't become a formula.

    The caller's CSV writer does the quoting. A text that would start a formula gets a
    leading apostrophe, which spreadsheets hide.
    """
    shown = escape(text)
    return f"'{shown}" if text.lstrip().startswith(_FORMULA_START) or text[:1] in ("\t", "\r") else shown


def _visible(character: str) -> str:
    if character.isprintable() and _BLANK_LETTERS.match(character) is None:
        return character
    return f"\\u{{{ord(character):04X}}}"
