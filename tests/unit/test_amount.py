"""Amounts: every way in is whole, bounded and carries its unit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin.amount import MAX_MONEY, FeeRate, format_btc, parse_amount, sats, sum_sats
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput, UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5btc", 150_000_000),
        ("150000000sat", 150_000_000),
        ("0btc", 0),
        ("0.00000001btc", 1),
        ("21000000btc", MAX_MONEY),
        ("2100000000000000sat", MAX_MONEY),
        ("007sat", 7),
    ],
)
def test_reads_amounts_with_their_unit(text: str, expected: int) -> None:
    assert parse_amount(text) == expected


@pytest.mark.parametrize("text", ["1", "1.5", "150000000", "1.", "0"])
def test_a_bare_number_has_no_meaning(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_amount(text)
    assert caught.value.code is Code.AMOUNT_UNIT_MISSING


@pytest.mark.parametrize(
    "text",
    [
        "", "btc", ".5btc", "1.btc", "1,5btc", "1e3sat", "+1sat", "-1sat", " 1sat", "1sat ", "1 sat", "1BTC", "1mbtc",
        "1sats", "1sat\n", "0x10sat", "1_000sat", "1.123456789btc", "nanbtc", "infbtc", "1..5btc", "9" * 400 + "sat",
        "1.5.5",
    ],
)  # fmt: skip
def test_refuses_what_is_not_quite_an_amount(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_amount(text)
    assert caught.value.code is Code.AMOUNT_MALFORMED
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("text", ["１sat", "١٢sat", "1.５btc", "२", "1²sat", "1․5btc"])
def test_digits_are_ascii(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_amount(text)
    assert caught.value.code is Code.AMOUNT_MALFORMED


def test_refuses_a_fraction_of_a_satoshi() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_amount("1.5sat")
    assert caught.value.code is Code.AMOUNT_NOT_INTEGER


@pytest.mark.parametrize("text", ["21000000.00000001btc", "2100000000000001sat", "9999999999999999btc"])
def test_refuses_more_than_can_exist(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_amount(text)
    assert caught.value.code is Code.AMOUNT_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (-1, Code.AMOUNT_OUT_OF_RANGE),
        (MAX_MONEY + 1, Code.AMOUNT_OUT_OF_RANGE),
        (True, Code.AMOUNT_NOT_INTEGER),
        (1.0, Code.AMOUNT_NOT_INTEGER),
        ("1", Code.AMOUNT_NOT_INTEGER),
        (None, Code.AMOUNT_NOT_INTEGER),
    ],
)
def test_sats_takes_whole_numbers_within_range(value: object, code: Code) -> None:
    with pytest.raises(InvalidInput) as caught:
        sats(value)  # type: ignore[arg-type]
    assert caught.value.code is code


def test_a_sum_stays_within_range() -> None:
    assert sum_sats([]) == 0
    assert sum_sats([1, 2, MAX_MONEY - 3]) == MAX_MONEY
    with pytest.raises(InvalidInput):
        sum_sats([MAX_MONEY, 1])
    with pytest.raises(InvalidInput):
        sum_sats([5, -1])


@given(st.integers(0, MAX_MONEY))
def test_what_is_printed_is_read_back(value: int) -> None:
    assert parse_amount(f"{format_btc(value)}btc") == value
    assert parse_amount(f"{value}sat") == value


def test_prints_all_eight_decimals_and_the_sign() -> None:
    assert format_btc(150_000_000) == "1.50000000"
    assert format_btc(1) == "0.00000001"
    assert format_btc(-150_000_000) == "-1.50000000"


def test_reads_fee_rates() -> None:
    assert FeeRate.from_sat_vb("12") == FeeRate(12_000)
    assert FeeRate.from_sat_vb("0.001") == FeeRate(1)
    assert FeeRate.from_sat_vb("1.5").sat_vb == Decimal("1.5")


@pytest.mark.parametrize("text", ["", "-1", "1.2345", "1e3", "１", "nan", "1.", ".5", "12345678", "1\n"])
def test_refuses_malformed_fee_rates(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        FeeRate.from_sat_vb(text)
    assert caught.value.code is Code.AMOUNT_MALFORMED


@pytest.mark.parametrize("value", [-1, 1.5, True, MAX_MONEY * 1000 + 1])
def test_a_fee_rate_is_whole_and_bounded(value: int) -> None:
    with pytest.raises(InvalidInput):
        FeeRate(value)


def test_even_an_absurd_fee_has_a_rate() -> None:
    assert FeeRate.of(sats(MAX_MONEY), 1).sat_kvb == MAX_MONEY * 1000


@given(st.integers(0, 10_000_000), st.integers(1, 400_000))
def test_a_fee_reaches_its_rate_and_no_satoshi_more_than_needed(sat_kvb: int, vsize: int) -> None:
    rate = FeeRate(sat_kvb)
    fee = rate.fee_for(vsize)
    assert fee * 1000 >= sat_kvb * vsize
    assert fee == 0 or (fee - 1) * 1000 < sat_kvb * vsize
    assert FeeRate.of(fee, vsize).sat_kvb >= sat_kvb


@given(st.text())
def test_any_text_is_an_amount_or_a_refusal(text: str) -> None:
    try:
        assert 0 <= parse_amount(text) <= MAX_MONEY
    except CustodyError as error:
        assert error.exit_code in (2, 6)
