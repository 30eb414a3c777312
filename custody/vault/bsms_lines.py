"""The lines of a BSMS record, kept to the letter: a signature and a MAC cover them."""

import re

from custody.codes import Code
from custody.errors import InvalidInput

VERSION = "BSMS 1.0"
MAX_BYTES = 100_000
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


def record_lines(data: bytes, counts: range, what: str) -> list[str]:
    """Return the lines of a record that `what` names, as many as `counts` allows, the first being the version.

    Lines end in a line feed (one after the last is left out); a carriage return before it is dropped,
    because mail programs add one. Nothing else is changed.

    Raises:
        InvalidInput: BSMS_VERSION, FILE_TOO_LARGE, or MALFORMED_DOCUMENT.
    """
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            Code.FILE_TOO_LARGE,
            f"{what} has {len(data)} bytes, more than {MAX_BYTES}",
            advice="Check that it is the file that you mean.",
        )
    require_version(data, what)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise malformed(f"{what} is not UTF-8") from cause
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if any(map(has_control, lines)):
        raise malformed(f"{what} holds a control character, at which some programs end a line")
    if len(lines) not in counts:
        raise malformed(f"{what} has {len(lines)} lines, expected {counts[-1]}")
    return lines


def has_control(line: str) -> bool:
    """Whether a line holds a character at which some program ends it, or that moves a cursor."""
    return _CONTROL.search(line) is not None


def require_version(data: bytes, what: str) -> None:
    """Demand that the first line is the version.

    Raises:
        InvalidInput: BSMS_VERSION.
    """
    if data.split(b"\n", 1)[0].strip() != VERSION.encode():
        raise InvalidInput(
            Code.BSMS_VERSION,
            f"the first line of {what} is not `{VERSION}`",
            advice="Get the record again from a program or device that writes this version.",
        )


def malformed(message: str) -> InvalidInput:
    """Return the error of a record of a wrong shape."""
    return InvalidInput(Code.MALFORMED_DOCUMENT, message, advice="Ask for the record again from whoever made it.")
