"""Charts as numbers: where each line, bar and label of an inline SVG stands. Templates draw them; no library does.

All arithmetic is in whole satoshis, seconds and pixels. Each chart's figures stand in a table beside it too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.bitcoin.amount import SATS_PER_BTC
from custody.spend.expiry import format_time

_BAR_WIDTH = 440
_ROW_HEIGHT = 42
_CAP_HEADROOM = 22
_FEWEST_PIXELS = 2
"""A bar of little money is still seen."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: int
    label: str
    anchor: str
    """`start`, `middle` or `end`."""


@dataclass(frozen=True, slots=True)
class StepChart:
    """A line that steps where the value changes."""

    key: str
    """Tells it apart from the other charts of the page."""
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    """Pixels of the plot's four sides."""
    line: str
    """Path data of the line."""
    area: str
    """Path data of what lies below it."""
    ticks_x: tuple[Tick, ...]
    ticks_y: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart: a line of text with a bar below it."""

    label: str
    value: str
    y: int
    length: int
    is_marked: bool
    """Above the cap: drawn with another pattern, and said in words."""


@dataclass(frozen=True, slots=True)
class BarChart:
    """Rows of bars from one line, with a cap where there is one."""

    key: str
    width: int
    height: int
    bars: tuple[Bar, ...]
    cap_at: int | None
    """Pixel of the cap."""
    cap_label: str
    cap_anchor: str


def step_chart(key: str, points: Sequence[tuple[int, int]], span: tuple[int, int], *, wide: bool) -> StepChart:
    """Draw `points` (Unix seconds and satoshis, in order; the first is the value at the beginning) over a span of time.

    Where more points fall on one pixel the last one is drawn: the table has them all.
    """
    width, height = (960, 300) if wide else (380, 260)
    left, right, top, bottom = 84, width - 12, 14, height - 34
    start, end = span[0], max(span[1], span[0] + 1)
    unit = tick_unit(max(value for _time, value in points))
    highest = unit * max(1, -(-max(value for _time, value in points) // unit))

    def x_of(time: int) -> int:
        inside = min(max(time, start), end)
        return left + (inside - start) * (right - left) // (end - start)

    def y_of(value: int) -> int:
        return bottom - value * (bottom - top) // highest

    columns: dict[int, int] = {left: y_of(points[0][1])}
    for time, value in points[1:]:
        columns[x_of(time)] = y_of(value)
    steps = [f"M{left} {columns.pop(left)}", *(f"H{x}V{y}" for x, y in sorted(columns.items())), f"H{right}"]
    line = "".join(steps)
    return StepChart(
        key=key,
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        line=line,
        area=f"{line}V{bottom}H{left}Z",
        ticks_x=_time_ticks(start, end, left, right, 5 if wide else 2),
        ticks_y=tuple(Tick(y_of(value), short_btc(value), "end") for value in range(0, highest + 1, unit)),
    )


def bar_chart(key: str, rows: Sequence[tuple[str, int, bool]], *, cap: int | None = None) -> BarChart:
    """Draw rows of label, satoshis and whether it is above the cap."""
    most = max([value for _label, value, _marked in rows] + [cap or 0, 1])
    headroom = _CAP_HEADROOM if cap is not None else 0
    bars = tuple(
        Bar(
            label,
            f"{short_btc(value)} BTC{', above the cap' if marked else ''}",
            headroom + number * _ROW_HEIGHT,
            max(_FEWEST_PIXELS if value else 0, value * _BAR_WIDTH // most),
            marked,
        )
        for number, (label, value, marked) in enumerate(rows)
    )
    cap_at = None if cap is None else cap * _BAR_WIDTH // most
    return BarChart(
        key=key,
        width=_BAR_WIDTH,
        height=headroom + len(bars) * _ROW_HEIGHT,
        bars=bars,
        cap_at=cap_at,
        cap_label="" if cap is None else f"cap {short_btc(cap)} BTC",
        cap_anchor="end" if cap_at is not None and cap_at > _BAR_WIDTH // 2 else "start",
    )


def tick_unit(highest: int) -> int:
    """Return a round number of satoshis, 1, 2 or 5 by a power of ten, that goes at most five times into `highest`."""
    unit = 1
    while True:
        for digit in (1, 2, 5):
            if unit * digit * 5 >= highest:
                return unit * digit
        unit *= 10


def short_btc(value: int) -> str:
    """Return satoshis as bitcoin with commas and without zeros at the end: `1,234.5`."""
    whole, fraction = divmod(value, SATS_PER_BTC)
    decimals = f"{fraction:08d}".rstrip("0")
    return f"{whole:,}.{decimals}" if decimals else f"{whole:,}"


def _time_ticks(start: int, end: int, left: int, right: int, parts: int) -> tuple[Tick, ...]:
    """Return days, or days and times (UTC) where one day would stand at two ticks."""
    anchors = ["start", *["middle"] * (parts - 1), "end"]
    times = [format_time(start + (end - start) * number // parts) for number in range(parts + 1)]
    days = [time[:10] for time in times]
    shown = days if len(set(days)) == len(days) else [f"{time[5:10]} {time[11:16]}" for time in times]
    return tuple(
        Tick(left + (right - left) * number // parts, shown[number], anchor) for number, anchor in enumerate(anchors)
    )
