"""What the check of a signed message is asked and answers, as values.

An answer has three states, never two: what this program can't judge is inconclusive, and is shown as that.
Source: BIP 322, Verification.
"""

from dataclasses import dataclass
from enum import StrEnum

from custody.bitcoin.transaction import OutPoint

SEQUENCE_NO_AGE = 1 << 31
"""BIP 68: an input whose sequence has this bit asks for no age."""


class MessageForm(StrEnum):
    """The form of a signature; the value is the prefix that it is written with."""

    SIMPLE = "smp"
    """A witness stack alone, of a native segwit script."""
    FULL = "ful"
    """The whole transaction `to_sign`."""
    FUNDS = "pof"
    """The finalized PSBT of `to_sign`, whose further inputs are coins: a proof of funds."""


class MessageVerdict(StrEnum):
    """The check in one word."""

    VALID = "valid"
    INVALID = "invalid"
    INCONCLUSIVE = "inconclusive"
    """Neither: a script that this program doesn't know, or a coin that the verifier's node didn't speak of."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict on a part, with the reason for people."""

    verdict: MessageVerdict
    reason: str

    @classmethod
    def valid(cls) -> "Ruling":
        """Nothing is wrong."""
        return cls(MessageVerdict.VALID, "")

    @classmethod
    def invalid(cls, reason: str) -> "Ruling":
        """Some check failed."""
        return cls(MessageVerdict.INVALID, reason)

    @classmethod
    def inconclusive(cls, reason: str) -> "Ruling":
        """It can't be said."""
        return cls(MessageVerdict.INCONCLUSIVE, reason)

    @property
    def is_valid(self) -> bool:
        """Whether the verdict is valid; the two others are both no."""
        return self.verdict is MessageVerdict.VALID


@dataclass(frozen=True, slots=True)
class MessageResult:
    """The verdict on a signed message or on a BIP 127 proof."""

    verdict: MessageVerdict
    reason: str
    """For people: why it is not valid, or at which lock time and age it is."""
    form: MessageForm | None
    """None where the text has no known form, and for BIP 127."""
    funds: tuple[OutPoint, ...] = ()
    """The coins that a proof of funds names; proven only where the verdict is valid. They may be spent by now."""
    lock_time: int = 0
    """Of `to_sign`: a script with a time lock is satisfied only from this height or time on."""
    sequence: int = 0
    """Of the first input of `to_sign`: the age that a relative lock asks for, if any (`age`)."""

    @property
    def age(self) -> int:
        """The age that the coins must have; 0 where the sequence asks for none (BIP 68: its highest bit is set)."""
        return 0 if self.sequence & SEQUENCE_NO_AGE else self.sequence

    @property
    def is_valid(self) -> bool:
        """Whether the verdict is valid; the two others are both no."""
        return self.verdict is MessageVerdict.VALID
