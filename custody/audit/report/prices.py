"""Prices of a bitcoin by day, from a file that the user gives: the only source of fiat anywhere.

CSV with the head `date,currency,price`: one currency, each day once, the price of one bitcoin in that
currency as a decimal number. Nothing is looked up, guessed or carried over from another day. All
arithmetic is in exact decimals; a result is rounded once, to two decimals, half to even.
"""

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from io import StringIO

from custody.audit.report.period import day_start
from custody.bitcoin.amount import SATS_PER_BTC
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput

HEAD = ("date", "currency", "price")
MAX_BYTES = 4_000_000
"""Twenty years of days are 200 kB."""

ROUNDING_RULE = "Each amount is valued at its own day's price and rounded once to two decimals, half to even."

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_PRICE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,8})?", re.ASCII)
_CENT = Decimal("0.01")
_EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
"""Enough digits that nothing is rounded before the end."""


@dataclass(frozen=True, slots=True)
class Prices:
    """One bitcoin's price in one currency, by day."""

    currency: str
    """Three capital letters."""
    by_day: Mapping[str, Decimal]
    digest: str
    """SHA-256 of the file, lower-case hex."""

    def value_of(self, sats: int, day: str) -> Decimal | None:
        """Return what so many satoshis, plus or minus, are at the day's price; None where the file has no such day."""
        price = self.by_day.get(day)
        if price is None:
            return None
        exact = _EXACT.divide(_EXACT.multiply(Decimal(sats), price), Decimal(SATS_PER_BTC))
        return _EXACT.add(exact.quantize(_CENT, context=_EXACT), Decimal(0))  # which makes -0.00 zero

    @classmethod
    def from_csv(cls, data: bytes) -> "Prices":
        """Read a price file, strictly.

        Raises:
            InvalidInput: PRICES_INVALID with the line.
        """
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _refused("the price file is not UTF-8") from error
        reader = csv.reader(StringIO(text, newline=""), strict=True)
        by_day: dict[str, Decimal] = {}
        currencies: dict[str, None] = {}
        try:
            if tuple(next(reader, ())) != HEAD:
                raise _refused(f"the price file does not begin with the line `{','.join(HEAD)}`")
            for row in reader:
                day, currency, price = _row_of(row, reader.line_num)
                if day in by_day:
                    raise _refused(f"line {reader.line_num}: {day} has a price already")
                by_day[day] = price
                currencies[currency] = None
        except csv.Error as error:
            raise _refused(f"line {reader.line_num} is not CSV") from error
        if len(currencies) != 1:
            raise _refused(f"the price file has {len(currencies)} currencies, expected one")
        return cls(next(iter(currencies)), by_day, hashlib.sha256(data).hexdigest())


def total(values: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum; None where one of them is not known, since a part is no sum."""
    found = Decimal(0).quantize(_CENT)
    for value in values:
        if value is None:
            return None
        found = _EXACT.add(found, value)
    return found


def _row_of(row: list[str], line: int) -> tuple[str, str, Decimal]:
    if len(row) != len(HEAD):
        raise _refused(f"line {line} has {len(row)} fields, expected {len(HEAD)}")
    day, currency, price = row
    try:
        day_start(day)
    except CustodyError as error:
        raise _refused(f"line {line}: {error.message}") from error
    if _CURRENCY.fullmatch(currency) is None:
        raise _refused(f"line {line}: the currency is not three capital letters such as USD")
    if _PRICE.fullmatch(price) is None or not Decimal(price):
        raise _refused(f"line {line}: the price is not a number such as 64250.75, above zero")
    return day, currency, Decimal(price)


def _refused(message: str) -> InvalidInput:
    return InvalidInput(
        Code.PRICES_INVALID,
        message,
        advice="Write the price file as docs/formats/prices.md shows; no price is ever guessed.",
    )
