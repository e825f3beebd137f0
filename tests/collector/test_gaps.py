"""Gaps that cannot be recorded for long take a bounded place, and none of them is hidden."""

from datetime import timedelta

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
        Gap(NOON + 2 * SECOND, NOON + 5 * SECOND, losses.SPOOL_FULL, gaps.SEVERAL, None),
    ]


def test_one_whose_beginning_only_the_store_knows_keeps_it_so() -> None:
    away = Gap(None, NOON, losses.COLLECTOR_AWAY)

    assert gaps.folded([away, a_gap(5, losses.COLLECTOR_AWAY)], most=0) == [
        Gap(None, NOON + 6 * SECOND, losses.COLLECTOR_AWAY, gaps.SEVERAL)
    ]


def test_days_without_a_database_take_a_bounded_number_of_them() -> None:
    noted = Gaps()
    for number in range(50_000):
        noted.note(a_gap(number))

    kept = noted.take()

    assert len(kept) <= 2 * gaps.MOST
    assert max(gap.ended_at for gap in kept) == NOON + 50_000 * SECOND
    assert sum(gap.count or 0 for gap in kept) == 100_000
