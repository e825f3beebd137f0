"""Throughput by minute."""

from datetime import UTC, datetime, timedelta

from flower_store.records import Bucket
from flower_web import chart

NOW = datetime(2026, 11, 23, 10, 30, 17, tzinfo=UTC)


def test_the_window_is_sixty_whole_minutes_with_the_running_one_last() -> None:
    since, until = chart.window(NOW)

    assert (since, until) == (NOW.replace(hour=9, minute=31, second=0), NOW.replace(minute=31, second=0))


def test_quiet_minutes_have_rows_of_zeros() -> None:
    since, until = chart.window(NOW)
    buckets = [
        Bucket(since + timedelta(minutes=2), "task-failed", 3),
        Bucket(since + timedelta(minutes=2), "task-succeeded", 5),
        Bucket(since + timedelta(minutes=2), "task-received", 99),
    ]

    drawn = chart.chart(buckets, since, until)

    assert len(drawn.minutes) == 60
    assert drawn.minutes[2].counts == [5, 0, 0, 3]
    assert drawn.totals == {"SUCCESS": 5, "RETRY": 0, "REVOKED": 0, "FAILURE": 3}
    assert drawn.summary == "In the last hour: 5 SUCCESS, 3 FAILURE. Most in a minute: 8, at 09:33 UTC."


def test_an_hour_without_ends_says_so() -> None:
    assert chart.chart([], *chart.window(NOW)).summary == "No task ended in the last hour."
