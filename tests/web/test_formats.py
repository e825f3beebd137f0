"""Numbers and times as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from flower_web import formats

NOON = datetime(2026, 11, 23, 12, 0, 5, 123_456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (None, "—"),
        (0, "0"),
        (1_234, "1,234"),
        (9_999, "9,999"),
        (12_047, "12,047"),
        (99_999, "99,999"),
        (100_000, "100.0k"),
        (123_456, "123.4k"),
        (999_999, "999.9k"),
        (1_000_000, "1.0M"),
        (1_234_567, "1.2M"),
        (2_500_000_000, "2.5G"),
    ],
)
def test_a_number_is_shortened_to_what_can_be_read_at_a_glance(number: int | None, shown: str) -> None:
    assert formats.count(number) == shown


def test_only_a_shortened_number_has_an_exact_value_to_show() -> None:
    assert formats.exact(99_999) == ""
    assert formats.exact(123_456) == "123,456"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "—"),
        (0, "0 ms"),
        (0.0001, "< 1 ms"),
        (0.34, "340 ms"),
        (0.9996, "1.0 s"),
        (1.29, "1.2 s"),
        (9.99, "9.9 s"),
        (59.9, "59 s"),
        (60, "1 m"),
        (72, "1 m 12 s"),
        (3_600, "1 h"),
        (11_100, "3 h 5 m"),
        (86_400 * 2 + 3_600, "2 d 1 h"),
        (-2.5, "\N{MINUS SIGN}2.5 s"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float | None, shown: str) -> None:
    assert formats.duration(seconds) == shown


@pytest.mark.parametrize(
    ("ago", "shown"),
    [(timedelta(minutes=1), "11:59:05"), (timedelta(days=1), "22 Nov 12:00"), (timedelta(days=400), "2025-10-19")],
)
def test_a_time_of_another_day_says_which(ago: timedelta, shown: str) -> None:
    assert formats.moment(NOON - ago, NOON) == shown


def test_a_datetime_attribute_is_utc_whatever_zone_the_value_has() -> None:
    elsewhere = NOON.astimezone(tz=None)

    assert formats.iso(elsewhere) == "2026-11-23T12:00:05.123Z"


def test_an_id_is_cut_in_the_middle_and_a_short_one_is_not() -> None:
    assert formats.middle("3f2b8c1e-0000-4000-8000-00000000beef") == "3f2b8c1e…beef"
    assert formats.middle("nightly-report") == "nightly-report"
