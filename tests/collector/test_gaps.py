"""Gaps that cannot be recorded for long take a bounded place, and none of them is hidden."""

import threading
from datetime import timedelta

import pytest
from tests.collector.messages import NOON

from flower_collector import gaps
from flower_collector.gaps import Gap, Gaps
from flower_store import losses

SECOND = timedelta(seconds=1)


def a_gap(number: int, reason: str = losses.BUFFER_FULL, count: int | None = 2) -> Gap:
    return Gap(NOON + number * SECOND, NOON + (number + 1) * SECOND, reason, count=count)


def test_past_the_bound_gaps_of_one_reason_become_one_that_spans_them() -> None:
    waiting = [a_gap(0), a_gap(1), a_gap(2, "spool_full", None), a_gap(3), a_gap(4, "spool_full"), a_gap(5)]

    folded = gaps.folded(waiting, most=1)

    assert folded == [
        a_gap(0),
        Gap(NOON + SECOND, NOON + 6 * SECOND, losses.BUFFER_FULL, gaps.SEVERAL, 6),
        Gap(NOON + 2 * SECOND, NOON + 5 * SECOND, losses.SPOOL_FULL, gaps.SEVERAL, 2, at_least=True),
    ]


def test_those_without_any_number_have_none_together() -> None:
    (both,) = gaps.folded([a_gap(0, count=None), a_gap(1, count=None)], most=0)

    assert (both.count, both.at_least) == (None, False)


def test_one_that_somebody_waits_for_is_never_folded() -> None:
    awaited = Gap(NOON, NOON, losses.QUEUE_OVERFLOW, count=3, recorded=threading.Event())

    assert gaps.folded([a_gap(0), a_gap(1), awaited], most=0)[0] is awaited


def test_losses_of_one_reason_without_a_pause_are_one_gap() -> None:
    noted = Gaps()
    for gap in (a_gap(0), a_gap(1), a_gap(4), a_gap(5, "spool_full"), a_gap(6, "spool_full")):
        noted.note(gap)

    assert noted.take() == [
        Gap(NOON, NOON + 2 * SECOND, losses.BUFFER_FULL, count=4),
        a_gap(4),
        Gap(NOON + 5 * SECOND, NOON + 7 * SECOND, losses.SPOOL_FULL, count=4),
    ]


@pytest.mark.parametrize(
    ("reason", "urgent"),
    [
        (losses.BROKER_RESTARTED, True), (losses.QUEUE_MISSING, True), (losses.STREAM_LOST, True),
        (losses.BUFFER_FULL, False), (losses.COLLECTOR_AWAY, False),
    ],
)  # fmt: skip
def test_those_that_a_kill_would_hide_do_not_wait_for_a_beat(*, reason: str, urgent: bool) -> None:
    noted = Gaps()

    noted.note(a_gap(0, reason))

    assert noted.urgent is urgent


def test_one_whose_beginning_only_the_store_knows_keeps_it_so() -> None:
    away = Gap(None, NOON, losses.COLLECTOR_AWAY)

    assert gaps.folded([away, a_gap(5, losses.COLLECTOR_AWAY, None)], most=0) == [
        Gap(None, NOON + 6 * SECOND, losses.COLLECTOR_AWAY, gaps.SEVERAL)
    ]


def test_days_without_a_database_take_a_bounded_number_of_them() -> None:
    noted = Gaps()
    for number in range(0, 100_000, 2):
        noted.note(a_gap(number, "unknown"))

    kept = noted.take()

    assert len(kept) <= 2 * gaps.MOST
    assert max(gap.ended_at for gap in kept) == NOON + 99_999 * SECOND
    assert sum(gap.count or 0 for gap in kept) == 100_000
