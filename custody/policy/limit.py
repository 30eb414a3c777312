"""Limits, durations and percentages as a policy writes them; a missing one is never a large one.

A limit is a number or the word `unlimited`. 0 is zero: it lets nothing through. Durations
are whole minutes, hours or days, percentages whole hundredths of a percent.
"""

import re
from dataclasses import dataclass

from custody.bitcoin.amount import SATS_PER_BTC

UNLIMITED = "unlimited"

BASIS_POINTS = 10_000
"""Of the whole: 100 %."""

MAX_DURATION_S = 3_650 * 86_400

_UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(?P<count>0|[1-9][0-9]{0,6})(?P<unit>[mhd])", re.ASCII)
_PERCENT = re.compile(r"(?P<whole>0|[1-9][0-9]{0,2})(?:\.(?P<fraction>[0-9]{1,2}))?%", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that is let through."""

    most: int | None
    """None only where the policy says `unlimited`."""

    def allows(self, value: int) -> bool:
        """Say whether `value` is let through: at most the limit."""
        return self.most is None or value <= self.most

    def is_within(self, other: "Limit") -> bool:
        """Say whether everything that this limit lets through is let through by `other`."""
        return other.most is None or (self.most is not None and self.most <= other.most)


def parse_duration(text: str) -> int | None:
    """Return the seconds of `30m`, `48h` or `14d`, at most 3,650 days; None for anything else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    seconds = int(match["count"]) * _UNITS_S[match["unit"]]
    return seconds if seconds <= MAX_DURATION_S else None


def parse_percent(text: str) -> int | None:
    """Return the basis points of `0.5%`, at most 100 %; None for anything else."""
    match = _PERCENT.fullmatch(text)
    if match is None:
        return None
    points = int(match["whole"]) * 100 + int((match["fraction"] or "").ljust(2, "0"))
    return points if points <= BASIS_POINTS else None


def show_amount(value: int) -> str:
    """Return an amount for people, in both units: `600 BTC (60,000,000,000 sat)`."""
    whole, fraction = divmod(value, SATS_PER_BTC)
    bitcoin = f"{whole:,}.{fraction:08d}" if fraction else f"{whole:,}"
    return f"{bitcoin} BTC ({value:,} sat)"


def show_duration(seconds: int) -> str:
    """Return a duration for people, in its largest whole unit: `14 days`, `48 hours`, `90 minutes`."""
    for name, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds and seconds % length == 0 and (name != "day" or seconds > 172_800):
            return f"{seconds // length} {name}{'s' if seconds > length else ''}"
    return f"{seconds} second{'s' if seconds > 1 else ''}" if seconds else "no time"


def show_percent(points: int) -> str:
    """Return basis points for people: `0.5 %`."""
    whole, hundredths = divmod(points, 100)
    return f"{whole}.{hundredths:02d}".rstrip("0").rstrip(".") + " %"


def show_rate(sat_kvb: int) -> str:
    """Return a fee rate for people: `12.5 sat/vB`."""
    whole, thousandths = divmod(sat_kvb, 1_000)
    return f"{whole:,}.{thousandths:03d}".rstrip("0").rstrip(".") + " sat/vB"
