"""A report as one HTML page: the figures in the order in which a reader asks for them, charts beside their tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from custody.audit.history import HistoryRow, RowKind
from custody.audit.report import words as report_words
from custody.audit.report.coins import CoinClass
from custody.audit.report.fiat import Fiat, fiat_of
from custody.audit.report.flows import ReportedOutflow
from custody.audit.report.period import DaysAsked, day_start
from custody.audit.report.report import Report
from custody.errors import Finding, Severity, refusals
from custody.policy.limit import show_duration
from custody.spend.expiry import format_time
from custody_cli.audit_report_balance import BalanceLine, balance_lines
from custody_cli.charts import BarChart, StepChart, bar_chart, step_chart
from custody_cli.html_page import render

MOST_ROWS = 500
"""Rows of one table; the page says what it leaves out, and JSON and CSV have all of it."""
_MOST_ALARMS = 5
"""At the top; all of them stand among the findings."""
_MOST_BARS = 12
_ENDS = (12, 6)
"""Characters of an address that a chart shows; its table has the whole one."""

SEVERITY_WORDS = {Severity.REFUSE: "Alarm", Severity.WARN: "Warning", Severity.NOTE: "Note"}
KIND_WORDS = {
    RowKind.MINED: "mined",
    RowKind.RECEIVED: "received",
    RowKind.PAID: "paid",
    RowKind.CHANGE: "came back",
    RowKind.FEE: "fee",
    RowKind.NET: "net",
}


@dataclass(frozen=True, slots=True)
class Movement:
    """One row of the movements."""

    day: str
    row: HistoryRow
    what: str
    about: str
    fiat: Decimal | None


@dataclass(frozen=True, slots=True)
class PageOfReport:
    """What the template shows besides the report itself."""

    report: Report
    lines: tuple[BalanceLine, ...]
    fiat: Fiat | None
    balance_charts: tuple[StepChart, ...]
    age_chart: BarChart
    size_chart: BarChart
    address_chart: BarChart
    bars_left_out: int
    movements: tuple[Movement, ...]
    alarms: tuple[Finding, ...]
    counts: dict[str, int]
    """Findings by severity word, the gravest first."""

    def day(self, height: int | None) -> str:
        """Return the day of a block."""
        return self.report.dating.day_of(height or 0)


def report_page(report: Report) -> bytes:
    """Return the page."""
    return render(
        "audit_report.html",
        {
            "page": page_of(report),
            "report": report,
            "severity_words": SEVERITY_WORDS,
            "words": {
                "verified": report_words.verified(report),
                "claimed": report_words.claimed(report),
                "not_proven": report_words.not_proven(report),
                "rules": report_words.rules(report),
                "checks": report_words.checks(report),
            },
            "format_time": format_time,
            "show_duration": show_duration,
            "signers_of": _signers_of,
            "most_rows": MOST_ROWS,
            "most_alarms": _MOST_ALARMS,
        },
    )


def page_of(report: Report) -> PageOfReport:
    """Return all that the template shows, computed."""
    fiat = None if report.prices is None else fiat_of(report, report.prices)
    addresses = report.addresses[:_MOST_BARS]
    points, span = _balance_points(report), _span(report)
    return PageOfReport(
        report=report,
        lines=balance_lines(report, fiat),
        fiat=fiat,
        balance_charts=tuple(step_chart(key, points, span, wide=key == "wide") for key in ("wide", "narrow")),
        age_chart=bar_chart("age", _class_rows(report.ages)),
        size_chart=bar_chart("size", _class_rows(report.sizes)),
        address_chart=bar_chart(
            "address",
            [(_short_address(one.address), one.value, one.is_above_cap) for one in addresses],
            cap=report.cap,
        ),
        bars_left_out=len(report.addresses) - len(addresses),
        movements=tuple(_movement(report, row) for row in report.rows if row.kind is not RowKind.CHANGE),
        alarms=refusals(report.findings),
        counts={
            word: count
            for severity, word in SEVERITY_WORDS.items()
            if (count := sum(one.severity is severity for one in report.findings))
        },
    )


def _movement(report: Report, row: HistoryRow) -> Movement:
    day, reason = report.day_of(row), None if row.proposal is None else row.proposal.proposal.reason
    about = " · ".join(one for one in (row.payee, reason, row.label) if one)
    fiat = None if report.prices is None else report.prices.value_of(row.amount, day)
    return Movement(day, row, KIND_WORDS[row.kind], about, fiat)


def _balance_points(report: Report) -> list[tuple[int, int]]:
    points = [(_span(report)[0], report.sums.opening)]
    return points + [(report.dating.time_of(row.transaction.height or 0), row.balance) for row in report.rows]


def _span(report: Report) -> tuple[int, int]:
    period, dating = report.period, report.dating
    asked = period.asked
    if isinstance(asked, DaysAsked):
        return day_start(asked.first), dating.time_of(period.closing)
    return dating.time_of(max(0, period.opening)), dating.time_of(period.closing)


def _class_rows(classes: Sequence[CoinClass]) -> list[tuple[str, int, bool]]:
    """Return the classes between the first and the last that hold coins."""
    held = [number for number, one in enumerate(classes) if one.count]
    shown = classes[held[0] : held[-1] + 1] if held else ()
    return [(f"{one.name} ({one.count} coin{'' if one.count == 1 else 's'})", one.value, False) for one in shown]


def _short_address(address: str) -> str:
    start, end = _ENDS
    return f"{address[:start]}…{address[-end:]}"


def _signers_of(outflow: ReportedOutflow) -> tuple[str, ...]:
    return () if outflow.people is None else outflow.people.signing.signed
