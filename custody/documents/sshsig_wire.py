"""The few encodings that SSH keys and signatures are made of, read strictly and written in one form.

A reader goes through one blob from front to back; what doesn't fit is refused with the code
and the name that the reader was given, and no content is repeated. Where the RFC leaves room
(a number with superfluous zeros, base64 with loose bits), one form is accepted.
Source: RFC 4251, section 5 (`byte`, `uint32`, `string`, `mpint`); RFC 4648 (base64).
"""

import base64
import binascii
import re

from custody.codes import Code
from custody.errors import InvalidInput

_TEXT = re.compile(rb"[\x20-\x7e]{1,255}")
_TAKE_AGAIN = "Take it again from where it was made, whole and unchanged."


class WireReader:
    """One blob and how far it was read."""

    def __init__(self, blob: bytes, *, code: Code, what: str) -> None:
        self._blob = blob
        self._at = 0
        self._code = code
        self._what = what
        """For people: `the SSH public key`."""

    def byte(self) -> int:
        """Read one byte.

        Raises:
            InvalidInput: nothing is left.
        """
        return self._take(1)[0]

    def uint32(self) -> int:
        """Read four bytes, most significant first.

        Raises:
            InvalidInput: fewer are left.
        """
        return int.from_bytes(self._take(4), "big")

    def string(self) -> bytes:
        """Read a length and as many bytes.

        Raises:
            InvalidInput: fewer are left.
        """
        return self._take(self.uint32())

    def text(self, field: str) -> str:
        """Read a string of 1 to 255 printable ASCII characters. `field` names it for people.

        Raises:
            InvalidInput: it is empty, longer, or holds anything else.
        """
        raw = self.string()
        if _TEXT.fullmatch(raw) is None:
            raise self.malformed(f"its {field} is not 1 to 255 printable ASCII characters")
        return raw.decode("ascii")

    def positive(self, field: str) -> int:
        """Read an `mpint` above 0 in its shortest form. `field` names it for people.

        Raises:
            InvalidInput: it is zero, negative, or has superfluous zeros in front.
        """
        raw = self.string()
        number = int.from_bytes(raw, "big")
        if raw != mpint(number) or number == 0:
            raise self.malformed(f"its {field} is not a positive number in shortest form")
        return number

    def end(self) -> None:
        """Demand that everything was read.

        Raises:
            InvalidInput: bytes are left over.
        """
        if self._at != len(self._blob):
            raise self.malformed(f"{len(self._blob) - self._at} bytes follow its end")

    def malformed(self, problem: str) -> InvalidInput:
        """Return the refusal of this blob, for the caller to raise."""
        return InvalidInput(self._code, f"{self._what} is malformed: {problem}", advice=_TAKE_AGAIN)

    def _take(self, count: int) -> bytes:
        taken = self._blob[self._at : self._at + count]
        if len(taken) != count:
            raise self.malformed("it ends too early")
        self._at += count
        return taken


def uint32(number: int) -> bytes:
    """Return `number` as four bytes, most significant first."""
    return number.to_bytes(4, "big")


def string(content: bytes) -> bytes:
    """Return `content` with its length in front."""
    return uint32(len(content)) + content


def mpint(number: int) -> bytes:
    """Return `number`, which is not negative, in shortest form and without its length; 0 is empty."""
    # One bit more than the number has: a set top bit would make it negative.
    return number.to_bytes((number.bit_length() + 8) // 8, "big") if number else b""


def decode_base64(text: str, *, code: Code, what: str) -> bytes:
    """Return what `text` encodes.

    Raises:
        InvalidInput: it is not base64 in its one canonical form.
    """
    try:
        content = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        content = b""
    if not content or encode_base64(content) != text:
        raise InvalidInput(code, f"{what} is malformed: it is not base64 in canonical form", advice=_TAKE_AGAIN)
    return content


def encode_base64(content: bytes) -> str:
    """Return `content` in base64, padded, without line breaks."""
    return base64.b64encode(content).decode("ascii")
