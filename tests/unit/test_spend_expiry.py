"""Times of documents: one spelling, UTC, and expiry by the tip."""

import pytest

from custody.errors import InvalidInput
from custody.spend.expiry import DEFAULT_LIFETIME_S, expiry_after, format_time, is_expired, parse_time


@pytest.mark.parametrize("unix_s", [0, 1_800_000_000, 951_782_400, 253_402_300_799])
def test_times_round_trip(unix_s: int) -> None:
    assert parse_time(format_time(unix_s)) == unix_s


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2030-02-29T00:00:00Z",
        "2030-01-01T24:00:00Z",
        "2030-01-01T00:00:60Z",
        "2030-01-01T00:00:00+00:00",
        "2030-1-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "２030-01-01T00:00:00Z",
    ],
)
def test_other_spellings_and_impossible_times_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_time(text)


def test_a_proposal_lives_two_weeks_of_the_chain_s_time() -> None:
    expires = expiry_after(1_800_000_000)
    assert not is_expired(expires, 1_800_000_000 + DEFAULT_LIFETIME_S - 1)
    assert is_expired(expires, 1_800_000_000 + DEFAULT_LIFETIME_S)
    for outside in (-1, 253_402_300_800):
        with pytest.raises(InvalidInput):
            format_time(outside)
