"""The reconciliation of a report, line by line, as every form for people shows it."""

from dataclasses import dataclass
from decimal import Decimal

from custody.audit.report.fiat import Fiat
from custody.audit.report.report import Report


@dataclass(frozen=True, slots=True)
class BalanceLine:
    """One line of the reconciliation."""

    name: str
    sats: int
    fiat: Decimal | None
    kind: str
    """`total`, `part` or `sum`."""


def balance_lines(report: Report, fiat: Fiat | None) -> tuple[BalanceLine, ...]:
    """Return the reconciliation from opening to closing balance; parts that are nothing are left out."""
    sums = report.sums
    lines = [
        BalanceLine("Opening balance", sums.opening, None if fiat is None else fiat.opening, "total"),
        BalanceLine("Came in", sums.inflows, None if fiat is None else fiat.inflows, "sum"),
        BalanceLine("of that mined", sums.mined, None, "part"),
        BalanceLine("of that received", sums.received, None, "part"),
        BalanceLine("of that from joint transactions", sums.net_in, None, "part"),
        BalanceLine("Left the vault", -sums.outflows, _negated(None if fiat is None else fiat.outflows), "sum"),
        BalanceLine("of that paid", -sums.paid, None, "part"),
        BalanceLine("of that in joint transactions", -sums.net_out, None, "part"),
        BalanceLine("Fees", -sums.fees, _negated(None if fiat is None else fiat.fees), "sum"),
        BalanceLine("Closing balance", sums.closing, None if fiat is None else fiat.closing, "total"),
    ]
    whole = {sums.inflows, -sums.outflows}
    return tuple(line for line in lines if line.kind != "part" or (line.sats and line.sats not in whole))


def _negated(value: Decimal | None) -> Decimal | None:
    return None if value is None else -value
