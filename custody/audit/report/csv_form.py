"""A report as CSV: the history's rows of the period, each with its day and, given prices, its value."""

from custody.audit.history import HistoryRow
from custody.audit.history_csv import MoreColumns, history_csv
from custody.audit.report.report import Report


def report_csv(report: Report) -> bytes:
    """Return the rows as `docs/formats/report.md` explains them; `amount_sats` adds up to the balance's change."""
    prices = report.prices
    if prices is None:
        return history_csv(report.rows, MoreColumns(("day",), lambda row: (report.day_of(row),)))
    names = ("day", "price", "currency", "amount_fiat")

    def cells(row: HistoryRow) -> tuple[object, ...]:
        day = report.day_of(row)
        return day, prices.by_day.get(day), prices.currency, prices.value_of(row.amount, day)

    return history_csv(report.rows, MoreColumns(names, cells))
