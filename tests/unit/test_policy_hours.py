"""Office hours: local wall time, days of the local week, clocks that go forward and back."""

import pytest

from custody.errors import InvalidInput
from custody.policy.hours import Hours, TimeZone, show_minute
from custody.spend.expiry import format_time, parse_time
from custody.workflow.time_zones import time_zone

WORKDAYS = Hours(frozenset(range(5)), 9 * 60, 17 * 60)
KARACHI = time_zone("Asia/Karachi")
NEW_YORK = time_zone("America/New_York")


def at(text: str) -> int:
    return parse_time(f"{text}Z")


def opens(hours: Hours, text: str, zone: TimeZone) -> str:
    return format_time(hours.opens(at(text), zone)).removesuffix("Z")


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-02T03:59:59", False),
        ("2026-03-02T04:00:00", True),
        ("2026-03-02T11:59:59", True),
        ("2026-03-02T12:00:00", False),
        ("2026-03-06T11:59:59", True),
        ("2026-03-07T06:00:00", False),
    ],
)
def test_hours_are_local_from_the_first_minute_to_before_the_last(moment: str, is_open: bool) -> None:
    assert WORKDAYS.is_open(at(moment), KARACHI) is is_open


@pytest.mark.parametrize(
    ("moment", "opening"),
    [
        ("2026-03-02T04:00:00", "2026-03-02T04:00:00"),
        ("2026-03-02T05:17:23", "2026-03-02T05:17:23"),
        ("2026-03-02T03:59:59", "2026-03-02T04:00:00"),
        ("2026-03-02T12:00:00", "2026-03-03T04:00:00"),
        ("2026-03-06T12:00:01", "2026-03-09T04:00:00"),
    ],
)
def test_the_next_opening(moment: str, opening: str) -> None:
    assert opens(WORKDAYS, moment, KARACHI) == opening


def test_an_opening_is_found_to_the_minute() -> None:
    odd = Hours(frozenset({6}), 9 * 60 + 7, 9 * 60 + 8)
    assert opens(odd, "2026-03-02T00:00:00", KARACHI) == "2026-03-08T04:07:00"
    assert opens(odd, "2026-03-08T04:08:00", KARACHI) == "2026-03-15T04:07:00"


def test_hours_follow_the_clocks_through_the_year() -> None:
    assert opens(WORKDAYS, "2026-03-06T22:00:00", NEW_YORK) == "2026-03-09T13:00:00"
    assert opens(WORKDAYS, "2026-03-06T12:00:00", NEW_YORK) == "2026-03-06T14:00:00"


def test_an_hour_that_is_skipped_opens_when_the_clocks_have_jumped() -> None:
    sunday = Hours(frozenset({6}), 2 * 60 + 30, 4 * 60)
    # 02:00 is followed by 03:00 on 2026-03-08 in New York, at 07:00 UTC.
    assert opens(sunday, "2026-03-08T06:59:00", NEW_YORK) == "2026-03-08T07:00:00"
    assert not sunday.is_open(at("2026-03-08T06:59:59"), NEW_YORK)


def test_hours_inside_the_skipped_hour_do_not_exist_that_day() -> None:
    sunday = Hours(frozenset({6}), 2 * 60 + 10, 2 * 60 + 50)
    assert opens(sunday, "2026-03-08T05:00:00", NEW_YORK) == "2026-03-15T06:10:00"


def test_an_hour_that_comes_twice_counts_twice() -> None:
    sunday = Hours(frozenset({6}), 60, 90)
    # 01:00 to 01:30 on 2026-11-01 in New York comes at 05:00 UTC and again at 06:00 UTC.
    for moment in ("2026-11-01T05:15:00", "2026-11-01T06:15:00"):
        assert sunday.is_open(at(moment), NEW_YORK)
    assert opens(sunday, "2026-11-01T05:30:00", NEW_YORK) == "2026-11-01T06:00:00"


def test_midnight_is_the_end_of_a_day() -> None:
    whole = Hours(frozenset({0}), 0, 1_440)
    assert whole.is_open(at("2026-03-02T18:59:59"), KARACHI)
    assert not whole.is_open(at("2026-03-02T19:00:00"), KARACHI)
    assert whole.is_open(at("2026-03-01T19:00:00"), KARACHI)
    assert show_minute(1_440) == "24:00"


def test_a_date_that_a_zone_skips_is_no_day_without_an_opening() -> None:
    friday = Hours(frozenset({4}), 0, 1_440)
    # Samoa had no 2011-12-30, a Friday.
    assert opens(friday, "2011-12-24T10:00:00", time_zone("Pacific/Apia")) == "2012-01-05T10:00:00"


@pytest.mark.parametrize(
    ("other", "covered"),
    [
        (WORKDAYS, True),
        (Hours(frozenset({0}), 10 * 60, 16 * 60), True),
        (Hours(frozenset({0, 6}), 10 * 60, 16 * 60), False),
        (Hours(frozenset({0}), 9 * 60 - 1, 16 * 60), False),
        (Hours(frozenset({0}), 9 * 60, 17 * 60 + 1), False),
    ],
)
def test_hours_cover_what_lies_within_them(other: Hours, covered: bool) -> None:
    assert WORKDAYS.covers(other) is covered


def test_every_day_has_its_name() -> None:
    week = Hours(frozenset(range(7)), 0, 1)
    assert week.show() == "mon, tue, wed, thu, fri, sat, sun 00:00 to 00:01"


def test_moments_are_shown_in_utc_and_in_the_zone() -> None:
    assert KARACHI.show(at("2026-03-01T23:30:00")) == "2026-03-01T23:30:00Z (mon 2026-03-02 04:30 Asia/Karachi)"
    assert KARACHI.show(253_402_214_399).startswith("9999-12-30T23:59:59Z (fri 9999-12-31 04:59 ")
    assert KARACHI.show(253_402_214_400) == "9999-12-31T00:00:00Z"
    assert WORKDAYS.show() == "mon, tue, wed, thu, fri 09:00 to 17:00"


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "", "asia/karachi", "Asia", "/etc/localtime"])
def test_a_zone_that_tzdata_does_not_list_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="no time zone of this name in tzdata 20"):
        time_zone(name)


def test_zones_come_from_the_package_whatever_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONTZPATH", "/nowhere")
    monkeypatch.setenv("TZ", "Pacific/Apia")
    assert time_zone("Asia/Karachi").at(0).isoformat() == "1970-01-01T05:00:00+05:00"
    assert time_zone("UTC").at(0).utcoffset() == time_zone("Etc/UTC").at(0).utcoffset()
