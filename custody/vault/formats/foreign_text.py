"""Other programs' text files, cut into lines in the one way that all their readers share.

Lines end in a line feed, with or without a carriage return before it. Other control characters and
Unicode's own line separators are refused: some readers end a line there and others don't, so that
one file could say two things.
"""

import re

from custody.codes import Code
from custody.errors import InvalidInput

MAX_BYTES = 100_000
_AMBIGUOUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


def read_lines(data: bytes, name: str) -> list[str]:
    """Return the lines without the spaces around them; messages call the file `name`.

    Raises:
        InvalidInput: FILE_TOO_LARGE, or MALFORMED_DOCUMENT for text that isn't UTF-8 or whose lines are ambiguous.
    """
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            Code.FILE_TOO_LARGE,
            f"{name} has {len(data)} bytes, more than {MAX_BYTES}",
            advice="Check that it is the file that you mean.",
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise _malformed(f"{name} is not UTF-8") from cause
    lines = [line.removesuffix("\r").strip(" \t") for line in text.split("\n")]
    if any(_AMBIGUOUS.search(line) for line in lines):
        raise _malformed(f"{name} holds a control character, at which some programs end a line")
    return lines


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT, message, advice="Export the wallet again from the program or device that made it."
    )
