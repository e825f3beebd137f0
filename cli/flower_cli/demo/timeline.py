"""When things happen: an open loop. What is due is due, however long the tasks themselves take."""

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from flower_cli.demo.scenarios import MIX, REGULARS, Regular

# A process that was stopped for longer (a closed laptop) goes on from now and does not make up for lost time.
LONGEST_DELAY_SECONDS = 5.0


class Timeline:
    """Things to do, in the order of their times (seconds of `clock`)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do this so many seconds from now."""
        heapq.heappush(self._due, (self._clock() + seconds, next(self._order), action))

    def every(self, gap: Callable[[], float], action: Callable[[], object], *, first_after: float) -> None:
        """Do this again and again, each time `gap()` seconds after the time before *was due*."""
        self._again(self._clock() + first_after, gap, action)

    def wait_time(self) -> float:
        """Seconds until the next thing is due; none when it is late."""
        return max(0.0, self._due[0][0] - self._clock())

    def take(self) -> Callable[[], object]:
        """The next thing to do."""
        return heapq.heappop(self._due)[2]

    def _again(self, due: float, gap: Callable[[], float], action: Callable[[], object]) -> None:
        def happen() -> None:
            self._again(max(due, self._clock() - LONGEST_DELAY_SECONDS) + gap(), gap, action)
            action()

        heapq.heappush(self._due, (due, next(self._order), happen))


def of_the_shop(random: Random, *, tasks_per_second: float, clock: Callable[[], float]) -> Timeline:
    """The mix at random moments, this many tasks a second on average, and slow scenarios at their own pace."""
    timeline = Timeline(clock)

    def visit() -> None:
        share = random.choices(MIX, weights=[share.weight for share in MIX])[0]
        share.scenario(random, timeline.later)

    timeline.every(gaps(random, tasks_per_second=tasks_per_second), visit, first_after=0)
    for regular in REGULARS:
        _repeat(timeline, regular, random)
    return timeline


def gaps(random: Random, *, tasks_per_second: float) -> Callable[[], float]:
    """Seconds between one arrival and the next, each of which sends what the mix sends on average."""
    weights = sum(share.weight for share in MIX)
    tasks_per_arrival = sum(share.weight * share.tasks for share in MIX) / weights
    return lambda: random.expovariate(tasks_per_second / tasks_per_arrival)


def _repeat(timeline: Timeline, regular: Regular, random: Random) -> None:
    timeline.every(
        regular.every.total_seconds,
        lambda: regular.scenario(random, timeline.later),
        first_after=regular.first_after.total_seconds(),
    )
