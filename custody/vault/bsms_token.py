"""The token of a BSMS setup: the secret that both rounds are encrypted and authenticated with.

NO_ENCRYPTION is the one byte 00, STANDARD has 8 bytes, EXTENDED 16. A token is written in hex or as a
decimal number. The BIP's third form, six words of BIP 39, is not read: words belong to seeds, and
nobody should get used to typing some into this program.
Source: BIP 129, The Token.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from custody.codes import Code
from custody.errors import InvalidInput

_HEX = re.compile(r"00|[0-9a-fA-F]{16}|[0-9a-fA-F]{32}", re.ASCII)
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,38}", re.ASCII)
_DECIMAL_LINE = re.compile(r"decimal[: ]\s*([0-9]{1,39})", re.ASCII)


class Encryption(StrEnum):
    """The three modes of BIP 129, by the name that commands and documents use."""

    NONE = "none"
    STANDARD = "standard"
    EXTENDED = "extended"

    @property
    def token_length(self) -> int:
        """Bytes of a token in this mode."""
        return _LENGTHS[self]


_LENGTHS = {Encryption.NONE: 1, Encryption.STANDARD: 8, Encryption.EXTENDED: 16}
_MODES = {length: mode for mode, length in _LENGTHS.items()}


@dataclass(frozen=True, slots=True)
class Token:
    """A token of one of the three modes. Its text form never shows the value."""

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) not in _MODES or any(self.value) is (len(self.value) == 1):
            # One byte must be zero, and a nonce of zeros only was never random.
            raise _refused("a token is neither `00` nor 8 or 16 random bytes")

    def __repr__(self) -> str:
        return f"Token({self.encryption})"

    @classmethod
    def from_text(cls, text: str) -> "Token":
        """Read one token: hex, or a decimal number; on two lines, hex and `decimal N` that must agree.

        Sixteen or thirty-two digits are hex, which no decimal form of a random token is likely to be; any
        other number is decimal, STANDARD below 2**64 and EXTENDED above.

        Raises:
            InvalidInput: BSMS_TOKEN_INVALID. The message does not repeat the text.
        """
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if len(lines) == 2:
            first, match = cls.from_text(lines[0]), _DECIMAL_LINE.fullmatch(lines[1])
            if match is None or int(match[1]) != int.from_bytes(first.value, "big"):
                raise _refused("the two lines of a token do not say the same number")
            return first
        if len(lines) != 1:
            raise _refused("a token is not one line")
        return cls._from_line(lines[0])

    @classmethod
    def _from_line(cls, line: str) -> "Token":
        if _HEX.fullmatch(line):
            return cls(bytes.fromhex(line))
        if _DECIMAL.fullmatch(line) is None or int(line) >= 2**128:
            raise _refused("a token is neither hex of 8 or 16 bytes nor a decimal number below 2^128")
        number = int(line)
        return cls(number.to_bytes(8 if number < 2**64 else 16, "big"))

    @property
    def encryption(self) -> Encryption:
        """The mode, which follows from the length."""
        return _MODES[len(self.value)]

    @property
    def hex(self) -> str:
        """Lower-case hex, as it stands in key records and under the MAC."""
        return self.value.hex()

    @property
    def is_clear_in_decimal(self) -> bool:
        """Whether its decimal number, read back, is this token: 16 or 32 digits would be taken for hex."""
        return Token.from_text(str(int.from_bytes(self.value, "big"))) == self

    def to_text(self) -> str:
        """Return the two lines of a token file: hex, and the decimal number that devices ask for."""
        return f"{self.hex}\ndecimal {int.from_bytes(self.value, 'big')}\n"


def _refused(message: str) -> InvalidInput:
    return InvalidInput(
        Code.BSMS_TOKEN_INVALID, message, advice="Take the token again from the coordinator, by the secure channel."
    )
