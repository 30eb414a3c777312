"""The period of a report, and the day of a block: from what the journal's observations said of the chain alone.

The journal knows the median time past of each tip that was observed, and of no block between two of them. So
the rule is: a block belongs to the first observed tip that is as high as it or higher, and to that tip's day
(UTC). It never makes a block older than it is. A period by days goes from the last tip before its first day to
the last tip within its last day; what lies between two tips around a boundary is counted on the later side,
and said. A period by heights is exact.
Source: BIP 113 (median time past).
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from custody.audit.state import SeenTip
from custody.codes import Code
from custody.errors import ChainUnavailable, InvalidInput
from custody.spend.expiry import format_time, parse_time

DAY_S = 86_400
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

DATING_RULE = (
    "A block is dated by the first observation that had it or a block above it, by the median time past of that "
    "observation's newest block (UTC). No clock of ours is asked."
)


@dataclass(frozen=True, slots=True)
class DaysAsked:
    """A period from the beginning of one day to the end of another, UTC, both as YYYY-MM-DD."""

    first: str
    last: str

    def __post_init__(self) -> None:
        if day_start(self.first) > day_start(self.last):
            raise refused(f"the period ends on {self.last}, before it begins on {self.first}")

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class HeightsAsked:
    """A period from one block to another, both within it."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise refused(f"the period ends at block {self.last} and begins at block {self.first}")

    def __str__(self) -> str:
        return f"blocks {self.first} to {self.last}"


Asked = DaysAsked | HeightsAsked


@dataclass(frozen=True, slots=True)
class Dating:
    """Which day each block belongs to."""

    tips: tuple[SeenTip, ...]
    """By height, at least one."""

    def time_of(self, height: int) -> int:
        """Return the median time, Unix seconds, that stands for a block up to the last observed one."""
        return self._tip_of(height).median_time_past

    def day_of(self, height: int) -> str:
        """Return its day as YYYY-MM-DD."""
        return format_time(self.time_of(height))[:10]

    def hash_of(self, height: int) -> str | None:
        """Return the hash of an observed tip at exactly this height, None where the journal knows none."""
        tip = self._tip_of(height)
        return tip.block_hash if tip.height == height else None

    def last_before(self, time: int) -> SeenTip | None:
        """Return the newest tip whose median time lies before `time`."""
        found = bisect_left(self.tips, time, key=lambda tip: tip.median_time_past)
        return self.tips[found - 1] if found else None

    def between(self, time: int) -> range:
        """Return the heights of which nothing tells whether they lie before `time`: those between two tips."""
        before = self.last_before(time)
        after = self.tips[0 if before is None else self.tips.index(before) + 1 :][:1]
        start = 0 if before is None else before.height + 1
        return range(start, after[0].height) if after else range(0)

    def _tip_of(self, height: int) -> SeenTip:
        found = bisect_left(self.tips, height, key=lambda tip: tip.height)
        return self.tips[min(found, len(self.tips) - 1)]


@dataclass(frozen=True, slots=True)
class Period:
    """What a report is about: the blocks from `first` to `closing`, both within it."""

    asked: Asked
    first: int
    closing: int
    """At least `first` - 1: a period in which no block was observed is empty."""
    opening_day: str
    """Day whose price the opening balance is given at: the one before the period, or that of the block before."""
    closing_day: str
    unsure_first: range
    """Blocks counted in this period that may have been mined before it."""
    unsure_last: range
    """Blocks left to the next period that may have been mined within this one."""
    is_over: bool
    """Whether an observation after the period's end exists, so that nothing of it can be missing."""

    @property
    def opening(self) -> int:
        """Height of the block before the period; -1 before the first block."""
        return self.first - 1

    def has(self, height: int) -> bool:
        """Tell whether a block lies within it."""
        return self.first <= height <= self.closing


def dating_of(tips: Sequence[SeenTip]) -> Dating:
    """Return the dating.

    Raises:
        ChainUnavailable: SYNC_INCOMPLETE where nothing was ever observed.
    """
    if not tips:
        raise ChainUnavailable(
            Code.SYNC_INCOMPLETE,
            "the journal has no observation of the chain, so that there is nothing to report",
            advice="Run `custody coins sync` first.",
        )
    return Dating(tuple(tips))


def period_of(asked: Asked, dating: Dating) -> Period:
    """Place a period on the observed chain.

    Raises:
        InvalidInput: REPORT_PERIOD where it lies outside what was observed.
    """
    return _by_heights(asked, dating) if isinstance(asked, HeightsAsked) else _by_days(asked, dating)


def day_start(day: str) -> int:
    """Return the first second of a day written YYYY-MM-DD, in UTC.

    Raises:
        InvalidInput: REPORT_PERIOD.
    """
    if _DAY.fullmatch(day) is None:
        raise refused(f"`{day}` is not a day such as 2026-03-31")
    try:
        return parse_time(f"{day}T00:00:00Z")
    except InvalidInput as error:
        raise refused(f"there is no day {day}") from error


def refused(message: str) -> InvalidInput:
    """Return the error of a period that can't be reported on."""
    return InvalidInput(
        Code.REPORT_PERIOD,
        message,
        advice="Give days as `--from 2026-01-01 --to 2026-03-31`, or blocks as `--from-height N --to-height M`.",
    )


def _by_days(asked: DaysAsked, dating: Dating) -> Period:
    start, end = day_start(asked.first), day_start(asked.last) + DAY_S
    before, last = dating.last_before(start), dating.last_before(end)
    if last is None:
        first_day = format_time(dating.tips[0].median_time_past)[:10]
        raise refused(f"the first observation of the chain is of {first_day}, after the period's end on {asked.last}")
    is_over = dating.tips[-1].median_time_past >= end
    return Period(
        asked=asked,
        first=0 if before is None else before.height + 1,
        closing=last.height,
        opening_day=(date.fromisoformat(asked.first) - timedelta(days=1)).isoformat(),
        closing_day=asked.last,
        unsure_first=dating.between(start),
        unsure_last=dating.between(end) if is_over else range(0),
        is_over=is_over,
    )


def _by_heights(asked: HeightsAsked, dating: Dating) -> Period:
    newest = dating.tips[-1].height
    if asked.last > newest:
        raise refused(f"block {asked.last} was not observed yet: the last one is {newest}")
    return Period(
        asked=asked,
        first=asked.first,
        closing=asked.last,
        opening_day=dating.day_of(max(0, asked.first - 1)),
        closing_day=dating.day_of(asked.last),
        unsure_first=range(0),
        unsure_last=range(0),
        is_over=True,
    )
