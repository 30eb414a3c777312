"""Amounts in whole satoshis and fee rates, each with its own type.

`Sats` is an integer between 0 and 21 million bitcoin; every amount that enters goes
through `sats()` or `parse_amount()`. `FeeRate` counts satoshis per 1,000 virtual bytes,
so that a rate is whole too. No float is accepted or produced anywhere in this module.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NewType

from custody.codes import Code
from custody.errors import InvalidInput, UsageError

Sats = NewType("Sats", int)

SATS_PER_BTC = 100_000_000
MAX_MONEY = 21_000_000 * SATS_PER_BTC
"""Bitcoin Core's consensus bound on any amount and on any sum of amounts."""

# Digits are written [0-9]: \d would take those of other scripts too.
_AMOUNT = re.compile(r"(?P<whole>[0-9]{1,16})(?:\.(?P<fraction>[0-9]{1,8}))?(?P<unit>btc|sat)")
_BARE_NUMBER = re.compile(r"[0-9]{1,16}(?:\.[0-9]{0,16})?")
_RATE = re.compile(r"(?P<whole>[0-9]{1,7})(?:\.(?P<fraction>[0-9]{1,3}))?")


def sats(value: int) -> Sats:
    """Return `value` as satoshis.

    Raises:
        InvalidInput: not an integer, below 0 or above 21 million bitcoin.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(
            Code.AMOUNT_NOT_INTEGER, "an amount is not a whole number of satoshis", advice="Give whole satoshis."
        )
    if not 0 <= value <= MAX_MONEY:
        raise InvalidInput(
            Code.AMOUNT_OUT_OF_RANGE,
            f"amount {value} sat lies outside 0 to {MAX_MONEY} sat",
            advice="Check the amount: no more than 21 million bitcoin can ever exist.",
        )
    return Sats(value)


def sum_sats(values: Iterable[int]) -> Sats:
    """Return the sum of `values`, each and together within the range of `sats()`."""
    return sats(sum(sats(value) for value in values))


def parse_amount(text: str) -> Sats:
    """Read an amount that carries its unit: `1.5btc` or `150000000sat`.

    Raises:
        UsageError: the unit is missing.
        InvalidInput: malformed, a fraction of a satoshi, or out of range.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        if _BARE_NUMBER.fullmatch(text):
            raise UsageError(
                Code.AMOUNT_UNIT_MISSING,
                f"amount `{text}` has no unit",
                advice="Write the unit with the amount, for example `1.5btc` or `150000000sat`.",
            )
        raise InvalidInput(
            Code.AMOUNT_MALFORMED,
            "an amount is neither like `1.5btc` nor like `150000000sat`",
            advice="Write digits, at most eight decimals for btc and none for sat, then the unit.",
        )
    whole, fraction = match["whole"], match["fraction"]
    if match["unit"] == "sat":
        if fraction is not None:
            raise InvalidInput(
                Code.AMOUNT_NOT_INTEGER,
                f"amount `{text}` has a fraction of a satoshi",
                advice="Give whole satoshis.",
            )
        return sats(int(whole))
    return sats(int(whole) * SATS_PER_BTC + int((fraction or "").ljust(8, "0")))


def format_btc(value: int) -> str:
    """Return `value` satoshis as bitcoin with all eight decimals, for people: `1.50000000`."""
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), SATS_PER_BTC)
    return f"{sign}{whole}.{fraction:08d}"


_MAX_RATE = MAX_MONEY * 1000
"""What all bitcoin paid over one virtual byte would be: absurd, but a review must be able to say so."""


@dataclass(frozen=True, slots=True, order=True)
class FeeRate:
    """A fee rate in whole satoshis per 1,000 virtual bytes."""

    sat_kvb: int

    def __post_init__(self) -> None:
        if isinstance(self.sat_kvb, bool) or not isinstance(self.sat_kvb, int):
            raise InvalidInput(
                Code.AMOUNT_NOT_INTEGER, "a fee rate is not a whole number of sat/kvB", advice="Give whole sat/kvB."
            )
        if not 0 <= self.sat_kvb <= _MAX_RATE:
            raise InvalidInput(
                Code.AMOUNT_OUT_OF_RANGE, "a fee rate is out of range", advice="Give the rate in sat/vB."
            )

    @classmethod
    def from_sat_vb(cls, text: str) -> "FeeRate":
        """Read a rate in sat/vB with at most three decimals, such as `12` or `1.5`."""
        match = _RATE.fullmatch(text)
        if match is None:
            raise InvalidInput(
                Code.AMOUNT_MALFORMED,
                "a fee rate is not a number of sat/vB with at most three decimals",
                advice="Give the rate in satoshis per virtual byte, for example `12.5`.",
            )
        return cls(int(match["whole"]) * 1000 + int((match["fraction"] or "").ljust(3, "0")))

    @classmethod
    def of(cls, fee: Sats, vsize: int) -> "FeeRate":
        """Return the rate that `fee` satoshis pay over `vsize` virtual bytes, rounded down. `vsize` is at least 1."""
        return cls(fee * 1000 // vsize)

    def fee_for(self, vsize: int) -> Sats:
        """Return the fee for `vsize` virtual bytes, rounded up so that the rate is reached."""
        return sats(-(-self.sat_kvb * vsize // 1000))

    @property
    def sat_vb(self) -> Decimal:
        """The rate in sat/vB, exact, for a screen; hashed documents hold `sat_kvb`."""
        return Decimal(self.sat_kvb) / 1000
