"""What a report's amounts are in fiat, by the user's own prices. Sums are sums of what was rounded before."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from custody.audit.history import HistoryRow, RowKind
from custody.audit.report.prices import Prices, total
from custody.audit.report.report import Report

_IN = frozenset({RowKind.MINED, RowKind.RECEIVED})


@dataclass(frozen=True, slots=True)
class Fiat:
    """Each amount with two decimals, None where a day's price is missing."""

    currency: str
    opening: Decimal | None
    """The opening balance at the price of `Period.opening_day`."""
    inflows: Decimal | None
    outflows: Decimal | None
    fees: Decimal | None
    closing: Decimal | None
    """The closing balance at the price of `Period.closing_day`; it is no sum of the others, since prices move."""
    used: tuple[tuple[str, Decimal], ...]
    """Each day whose price was used, with the price, in order."""
    missing: tuple[str, ...]
    """Each day whose price was needed and is not in the file."""


def fiat_of(report: Report, prices: Prices) -> Fiat:
    """Return the report's sums at the user's prices."""

    def valued(rows: Iterable[HistoryRow], sign: int) -> Decimal | None:
        return total(prices.value_of(sign * row.amount, report.day_of(row)) for row in rows)

    def those(test: Callable[[HistoryRow], bool]) -> list[HistoryRow]:
        return [row for row in report.rows if test(row)]

    period = report.period
    needed = sorted({period.opening_day, period.closing_day, *(report.day_of(row) for row in report.rows)})
    return Fiat(
        currency=prices.currency,
        opening=prices.value_of(report.sums.opening, period.opening_day),
        inflows=valued(those(lambda row: row.kind in _IN or _is_net(row, 1)), 1),
        outflows=valued(those(lambda row: row.kind is RowKind.PAID or _is_net(row, -1)), -1),
        fees=valued(those(lambda row: row.kind is RowKind.FEE), -1),
        closing=prices.value_of(report.sums.closing, period.closing_day),
        used=tuple((day, prices.by_day[day]) for day in needed if day in prices.by_day),
        missing=tuple(day for day in needed if day not in prices.by_day),
    )


def _is_net(row: HistoryRow, sign: int) -> bool:
    return row.kind is RowKind.NET and row.amount * sign > 0
