"""Prices by day from the user's file: exact decimals, one rounding, no guessing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.report.fiat import fiat_of
from custody.audit.report.json_form import report_json
from custody.audit.report.prices import Prices, total
from custody.codes import Code
from custody.errors import InvalidInput
from support.demo_reserve import QUARTER, daily_prices, report_of, the_demo

DAY = "2026-01-02"


def prices(price: str, currency: str = "EUR") -> Prices:
    return Prices.from_csv(f"date,currency,price\n{DAY},{currency},{price}\n".encode())


@pytest.mark.parametrize(
    ("price", "sats", "value"),
    [
        ("64250.75", 100_000_000, "64250.75"),
        ("64250.75", 150_000_000, "96376.12"),  # 96,376.125: half to even, down
        ("64250.77", 150_000_000, "96376.16"),  # 96,376.155: half to even, up
        ("100000", -1, "0.00"),
        ("100000", -1_000, "-1.00"),
        ("999999999999.99999999", 2_100_000_000_000_000, "20999999999999999999.79"),
        ("0.00000001", 2_100_000_000_000_000, "0.21"),
    ],
)
def test_a_value_is_rounded_once_half_to_even(price: str, sats: int, value: str) -> None:
    assert str(prices(price).value_of(sats, DAY)) == value


def test_another_day_has_no_price_and_no_sum_hides_it() -> None:
    assert prices("5").value_of(100, "2026-01-03") is None
    assert total([Decimal("1.10"), None]) is None
    assert total([Decimal("1.10"), Decimal("-0.20")]) == Decimal("0.90")


@given(st.integers(-(10**15), 10**15), st.decimals(min_value="0.01", max_value="900000", places=2))
def test_a_value_is_within_half_a_cent_of_the_exact_one(sats: int, price: Decimal) -> None:
    value = prices(str(price)).value_of(sats, DAY)
    assert value is not None
    assert abs(value * 10**8 - sats * price) * 200 <= 10**8


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "does not begin with the line"),
        (b"date;currency;price\n", "does not begin"),
        (b"date,currency,price\n", "0 currencies"),
        (b"date,currency,price\n2026-01-02,EUR,1\n2026-01-02,EUR,1\n", "line 3: 2026-01-02 has a price already"),
        (b"date,currency,price\n2026-01-02,EUR,1\n2026-01-03,USD,1\n", "2 currencies"),
        (b"date,currency,price\n2026-02-30,EUR,1\n", "line 2: there is no day 2026-02-30"),
        (b"date,currency,price\n2026-01-02,eur,1\n", "three capital letters"),
        (b"date,currency,price\n2026-01-02,EUR,1e5\n", "the price is not a number"),
        (b"date,currency,price\n2026-01-02,EUR,0.00\n", "above zero"),
        (b"date,currency,price\n2026-01-02,EUR,-5\n", "the price is not a number"),
        (b'date,currency,price\n2026-01-02,EUR,"1,000"\n', "the price is not a number"),
        (b"date,currency,price\n2026-01-02,EUR\n", "2 fields, expected 3"),
        (b"date,currency,price\n\n", "0 fields"),
        ("date,currency,price\n2026-01-02,EUR,١\n".encode(), "the price is not a number"),
        (b"date,currency,price\n2026-01-02,EUR,\xff\n", "not UTF-8"),
        (b'date,currency,price\n2026-01-02,EUR,"1\n', "is not CSV"),
    ],
)
def test_anything_else_is_refused_with_its_line(content: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        Prices.from_csv(content)
    assert refused.value.code is Code.PRICES_INVALID


def test_a_spreadsheet_s_byte_order_mark_and_line_ends_are_read() -> None:
    read = Prices.from_csv(b"\xef\xbb\xbfdate,currency,price\r\n2026-01-02,EUR,1.5\r\n")
    assert read.by_day == {DAY: Decimal("1.5")}


def test_a_report_in_fiat_values_each_amount_at_its_own_day() -> None:
    table = Prices.from_csv(daily_prices())
    made = report_of(the_demo(), QUARTER, table)
    fiat = fiat_of(made, table)
    assert made.period.opening_day == "2026-03-31" and made.period.closing_day == "2026-06-30"
    assert fiat.opening == table.value_of(made.sums.opening, "2026-03-31")
    assert fiat.closing == table.value_of(made.sums.closing, "2026-06-30")
    expected = sum(
        (table.value_of(-row.amount, made.day_of(row)) or Decimal(0) for row in made.rows if str(row.kind) == "paid"),
        Decimal(0),
    )
    assert fiat.outflows == expected > 0
    assert fiat.missing == ()
    assert {day for day, _price in fiat.used} >= {"2026-03-31", "2026-06-30"}


def test_a_missing_day_leaves_its_amounts_and_sums_without_a_value() -> None:
    whole = daily_prices()
    made = report_of(the_demo(), QUARTER, Prices.from_csv(whole))
    day = made.day_of(next(row for row in made.rows if str(row.kind) == "paid"))
    table = Prices.from_csv(b"\n".join(line for line in whole.split(b"\n") if not line.startswith(day.encode())))
    told = report_of(the_demo(), QUARTER, table)
    fiat = fiat_of(told, table)
    assert fiat.missing == (day,)
    assert (fiat.outflows, fiat.fees) == (None, None)
    assert fiat.closing is not None
    (finding,) = [one for one in told.findings if one.code is Code.PRICE_MISSING]
    assert day in finding.message
    document = report_json(told)["fiat"]
    assert isinstance(document, dict) and document["missing_days"] == [day] and document["outflows"] is None
