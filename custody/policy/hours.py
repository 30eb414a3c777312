"""Office hours, waiting, and the time zone they are read in.

Hours are local wall time, on days of the local week, from a first minute up to but not
including a last one; they don't cross midnight (`to: "24:00"` reaches it). When the clocks
go back, both passes of an hour count; when they go forward, the skipped hour doesn't exist.
The zone's rules are an argument: whoever calls takes them from the pinned `tzdata`, never
from the machine. Source: RFC 3339 for times on screen.
"""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from custody.spend.expiry import format_time

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_QUARTER_S = 900
"""Since 1972 every zone's clock differs from UTC, and changes, by whole quarters of an hour."""
_SEARCH_S = 15 * 86_400
"""Two weeks and a day: a zone that skips a whole date still has every weekday in it."""
_LAST_LOCAL_S = 253_402_300_800 - 86_400
"""The last day of the year 9999: its local date may lie beyond what a date can hold."""


@dataclass(frozen=True, slots=True)
class TimeZone:
    """A zone of the tz database by name, with its rules."""

    name: str
    rules: tzinfo

    def at(self, unix_s: int) -> datetime:
        """Return the local wall time of a moment."""
        return datetime.fromtimestamp(unix_s, tz=self.rules)

    def show(self, unix_s: int) -> str:
        """Return a moment in UTC and in the zone: `2026-03-02T06:00:00Z (mon 2026-03-02 11:00 Asia/Karachi)`."""
        if unix_s >= _LAST_LOCAL_S:
            return format_time(unix_s)
        local = self.at(unix_s)
        return f"{format_time(unix_s)} ({DAYS[local.weekday()]} {local:%Y-%m-%d %H:%M} {self.name})"


@dataclass(frozen=True, slots=True)
class Hours:
    """When signing may begin: days, and minutes of the day."""

    days: frozenset[int]
    """0 is Monday; at least one."""
    first: int
    """Minute of the day; below `last`."""
    last: int
    """Minute of the day that no longer counts, at most 1,440."""

    def is_open(self, unix_s: int, zone: TimeZone) -> bool:
        """Say whether a moment lies within the hours."""
        local = zone.at(unix_s)
        return local.weekday() in self.days and self.first <= local.hour * 60 + local.minute < self.last

    def opens(self, unix_s: int, zone: TimeZone) -> int:
        """Return the first moment within the hours that isn't before `unix_s`."""
        if self.is_open(unix_s, zone):
            return unix_s
        start = unix_s - unix_s % _QUARTER_S
        offset = self.first * 60 % _QUARTER_S
        return next(
            moment
            for quarter in range(start, start + _SEARCH_S, _QUARTER_S)
            for moment in (quarter, quarter + offset)
            if moment >= unix_s and self.is_open(moment, zone)
        )

    def covers(self, other: "Hours") -> bool:
        """Say whether every moment within `other` lies within these."""
        return other.days <= self.days and self.first <= other.first and other.last <= self.last

    def show(self) -> str:
        """Return them for people: `mon, tue 09:00 to 17:00`."""
        days = ", ".join(DAYS[day] for day in sorted(self.days))
        return f"{days} {show_minute(self.first)} to {show_minute(self.last)}"


def show_minute(minute: int) -> str:
    """Return a minute of the day as `HH:MM`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"
