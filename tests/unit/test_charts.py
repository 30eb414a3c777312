"""Charts as numbers: where lines and bars stand, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody_cli.charts import bar_chart, short_btc, step_chart, tick_unit

BTC = 100_000_000


def test_a_step_goes_flat_and_then_up_or_down() -> None:
    chart = step_chart("wide", [(0, BTC), (50, 2 * BTC), (100, 0)], (0, 100), wide=True)
    assert next((tick.label, tick.at) for tick in chart.ticks_y) == ("0", chart.bottom)
    assert chart.ticks_y[-1].label == "2" and chart.ticks_y[-1].at == chart.top
    middle = (chart.left + chart.right) // 2
    half = (chart.top + chart.bottom) // 2
    assert chart.line == f"M{chart.left} {half}H{middle}V{chart.top}H{chart.right}V{chart.bottom}H{chart.right}"
    assert chart.area == f"{chart.line}V{chart.bottom}H{chart.left}Z"


def test_nothing_at_all_is_a_flat_line_on_the_axis() -> None:
    chart = step_chart("narrow", [(5, 0)], (5, 5), wide=False)
    assert chart.line == f"M{chart.left} {chart.bottom}H{chart.right}"


@pytest.mark.parametrize(
    ("highest", "unit"), [(0, 1), (1, 1), (5, 1), (6, 2), (11, 5), (26, 10), (2_798 * BTC, 1_000 * BTC)]
)
def test_ticks_are_round(highest: int, unit: int) -> None:
    assert tick_unit(highest) == unit


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 21 * 10**14)), min_size=1, max_size=30), st.booleans())
def test_every_point_lies_within_the_plot(points: list[tuple[int, int]], wide: bool) -> None:
    points = sorted(points)
    chart = step_chart("x", points, (points[0][0], points[-1][0]), wide=wide)
    assert len(chart.ticks_y) <= 7
    assert all(chart.top <= tick.at <= chart.bottom for tick in chart.ticks_y)
    for step in chart.line.removeprefix("M").replace("V", " V").replace("H", " H").split()[1:]:
        number = int(step.lstrip("VH"))
        if step.startswith("V"):
            assert chart.top <= number <= chart.bottom
        elif step.startswith("H"):
            assert chart.left <= number <= chart.right


def test_bars_share_one_scale_with_the_cap() -> None:
    chart = bar_chart("address", [("a", 600 * BTC, True), ("b", 300 * BTC, False), ("c", 1, False)], cap=500 * BTC)
    assert [bar.length for bar in chart.bars] == [chart.width, chart.width // 2, 2]
    assert chart.cap_at == chart.width * 5 // 6
    assert [bar.value for bar in chart.bars] == ["600 BTC, above the cap", "300 BTC", "0.00000001 BTC"]
    assert chart.cap_label == "cap 500 BTC"
    assert bar_chart("age", []).height == 0


@pytest.mark.parametrize(("sats", "text"), [(0, "0"), (1, "0.00000001"), (123_450_000_000, "1,234.5")])
def test_short_amounts(sats: int, text: str) -> None:
    assert short_btc(sats) == text
