from itertools import pairwise
from random import Random

import pytest

from flower_cli.demo import scenarios, timeline
from flower_cli.demo.timeline import Timeline


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_due_first_comes_first() -> None:
    clock = Clock()
    plan = Timeline(clock)
    done: list[str] = []
    plan.later(5, lambda: done.append("later"))
    plan.later(1, lambda: done.append("sooner"))

    _pass(plan, clock, times=2)

    assert done == ["sooner", "later"]
    assert clock.now == 105


def test_a_repeated_thing_keeps_its_pace_when_it_was_done_late() -> None:
    clock = Clock()
    plan = Timeline(clock)
    moments: list[float] = []

    def slowly() -> None:
        moments.append(clock.now)
        clock.now += 0.25  # doing it takes a while, which must not add up

    plan.every(lambda: 1.0, slowly, first_after=0)

    _pass(plan, clock, times=4)

    assert moments == [100, 101, 102, 103]


def test_lost_time_is_not_made_up_for() -> None:
    clock = Clock()
    plan = Timeline(clock)
    moments: list[float] = []
    plan.every(lambda: 1.0, lambda: moments.append(clock.now), first_after=0)
    _pass(plan, clock, times=1)

    clock.now += 3600  # the lid was closed
    _pass(plan, clock, times=10)

    late = [moment for moment in moments if moment == 3700]
    assert len(late) <= timeline.LONGEST_DELAY_SECONDS + 1


@pytest.mark.parametrize("rate", [20, 200])
def test_the_mix_sends_as_many_tasks_as_it_is_told(rate: float) -> None:
    mean = sum(share.weight * share.tasks for share in scenarios.MIX) / sum(share.weight for share in scenarios.MIX)
    clock = Clock()
    arrivals = 0

    def arrive() -> None:
        nonlocal arrivals
        arrivals += 1

    plan = Timeline(clock)
    plan.every(timeline.gaps(Random(1), tasks_per_second=rate), arrive, first_after=0)

    _pass_until(plan, clock, 100 + 120)

    assert arrivals * mean / 120 == pytest.approx(rate, rel=0.1)


def test_arrivals_come_at_random_moments() -> None:
    gap = timeline.gaps(Random(1), tasks_per_second=20)
    drawn = [gap() for _ in range(50)]

    assert min(drawn) > 0
    assert all(one != other for one, other in pairwise(drawn))


def test_one_seed_tells_one_story() -> None:
    first, second = (timeline.gaps(Random(3), tasks_per_second=20) for _ in range(2))

    assert [first() for _ in range(20)] == [second() for _ in range(20)]


def _pass(plan: Timeline, clock: Clock, *, times: int) -> None:
    for _ in range(times):
        clock.now += plan.wait_time()
        plan.take()()


def _pass_until(plan: Timeline, clock: Clock, end: float) -> None:
    while clock.now + plan.wait_time() < end:
        _pass(plan, clock, times=1)
