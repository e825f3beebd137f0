"""A process that ends by itself is started again, later each time, and not for ever."""

from dataclasses import dataclass, field

import pytest

from flower_cli import errors, supervision
from flower_cli.supervision import Supervisor


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Fragile:
    """Lives until it is told to end; counts its starts."""

    name: str = "collector"
    running: bool = True
    status: int | None = None
    starts: list[int] = field(default_factory=list)

    def start(self) -> None:
        self.starts.append(1)
        self.running, self.status = True, None

    def end(self) -> None:
        self.running, self.status = False, 1


def test_it_is_started_again_after_a_pause() -> None:
    clock, fragile = Clock(), Fragile()
    supervisor = Supervisor(fragile, clock=clock)
    fragile.end()

    supervisor.tend()
    in_the_pause = list(fragile.starts)
    clock.now += supervisor.pause_seconds
    supervisor.tend()

    assert in_the_pause == []
    assert fragile.starts == [1]


def test_pauses_grow() -> None:
    clock, fragile = Clock(), Fragile()
    supervisor = Supervisor(fragile, clock=clock)
    pauses = [ended_once(fragile, supervisor, clock) for _ in range(supervision.MOST_RESTARTS)]

    assert pauses == [1, 2, 4, 8, 16]


def test_one_that_keeps_on_ending_is_given_up() -> None:
    clock, fragile = Clock(), Fragile()
    supervisor = Supervisor(fragile, clock=clock)
    for _ in range(supervision.MOST_RESTARTS):
        ended_once(fragile, supervisor, clock)
    fragile.end()

    with pytest.raises(errors.Failed, match="the collector ended 6 times in a row, at last with status 1"):
        supervisor.tend()


def test_one_that_lived_well_begins_anew() -> None:
    clock, fragile = Clock(), Fragile()
    supervisor = Supervisor(fragile, clock=clock)
    ended_once(fragile, supervisor, clock)
    ended_once(fragile, supervisor, clock)
    clock.now += supervision.HEALTHY_AFTER_SECONDS

    assert ended_once(fragile, supervisor, clock) == 1


def ended_once(fragile: Fragile, supervisor: Supervisor, clock: Clock) -> float:
    """Let it end and be started again; the pause between."""
    fragile.end()
    supervisor.tend()
    pause = supervisor.pause_seconds
    clock.now += pause
    supervisor.tend()
    return pause
