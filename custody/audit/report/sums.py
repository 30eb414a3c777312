"""The arithmetic of a report: what the rows of a period add up to, and that the coins say the same."""

from collections.abc import Iterable
from dataclasses import dataclass

from custody.audit.history import HistoryRow, RowKind
from custody.audit.report.period import Period
from custody.codes import Code
from custody.errors import CheckFailed


@dataclass(frozen=True, slots=True)
class Sums:
    """Satoshis; outflows and fees are told as positive numbers."""

    opening: int
    """Of all rows before the period."""
    mined: int = 0
    received: int = 0
    net_in: int = 0
    """Of transactions that spend coins of others too, and brought more than they took."""
    paid: int = 0
    net_out: int = 0
    """Of transactions that spend coins of others too, and took more than they brought."""
    fees: int = 0

    @property
    def inflows(self) -> int:
        """All that came in."""
        return self.mined + self.received + self.net_in

    @property
    def outflows(self) -> int:
        """All that left, without the fees that can be told apart."""
        return self.paid + self.net_out

    @property
    def closing(self) -> int:
        """Opening + inflows - outflows - fees."""
        return self.opening + self.inflows - self.outflows - self.fees


@dataclass(frozen=True, slots=True)
class LateMoves:
    """What moved shortly before and after the closing block: a reserve can be dressed for one day (A85)."""

    blocks: int
    """How many blocks before the closing one (it is one of them), and after it, are looked at."""
    came: int
    """Satoshis that came within the last blocks."""
    left: int
    """Satoshis that left again within the blocks after, fees included."""
    seen_after: int
    """How many of the blocks after the closing one were observed."""


def sums_of(rows: Iterable[HistoryRow], period: Period) -> Sums:
    """Return what the rows up to the closing block add up to; later ones are passed over."""
    totals: dict[str, int] = dict.fromkeys(("opening", "mined", "received", "net_in", "paid", "net_out", "fees"), 0)
    for row in rows:
        height = row.transaction.height or 0
        if height < period.first:
            totals["opening"] += row.amount
        elif period.has(height) and row.kind is not RowKind.CHANGE:
            name, sign = _NAMES.get(row.kind) or (("net_in", 1) if row.amount > 0 else ("net_out", -1))
            totals[name] += sign * row.amount
    return Sums(**totals)


def require_reconciled(sums: Sums, *, opening: int, closing: int) -> None:
    """Demand that the rows add up to the coins at both ends of the period, to the satoshi.

    Raises:
        CheckFailed: REPORT_UNRECONCILED with both numbers.
    """
    points = [
        f"the {when} balance is {told} sat by the rows and {held} sat by the coins"
        for when, told, held in (("opening", sums.opening, opening), ("closing", sums.closing, closing))
        if told != held
    ]
    if points:
        raise CheckFailed(
            Code.REPORT_UNRECONCILED,
            "the history and the coins don't agree",
            advice="Report nothing. Check the journal with `custody audit journal`, then sync with `--full`.",
            points=points,
        )


def late_moves(rows: Iterable[HistoryRow], period: Period, blocks: int, *, newest: int) -> LateMoves:
    """Return what came in the last `blocks` blocks up to the closing one, and what left in as many after it."""
    came, left = 0, 0
    for row in rows:
        height = row.transaction.height or 0
        if period.closing - blocks < height <= period.closing:
            came += max(0, row.amount)
        elif period.closing < height <= period.closing + blocks:
            left += max(0, -row.amount)
    return LateMoves(blocks, came, left, min(blocks, newest - period.closing))


_NAMES = {
    RowKind.MINED: ("mined", 1),
    RowKind.RECEIVED: ("received", 1),
    RowKind.PAID: ("paid", -1),
    RowKind.FEE: ("fees", -1),
}
