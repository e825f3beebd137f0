"""Who is told something, and how often."""

import msgspec

from flower_collector import arrivals
from flower_collector.arrivals import Arrivals
from flower_store import factories
from flower_store.events import WorkerEvent

STARTING = arrivals.STARTING.total_seconds()


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def said(kind: str, hostname: str = "celery@a") -> WorkerEvent:
    return msgspec.structs.replace(factories.a_heartbeat(), type=f"worker-{kind}", hostname=hostname)


def test_a_worker_that_starts_is_told_until_its_heartbeat_shows_that_it_listens() -> None:
    workers = Arrivals(clock=Clock())

    workers.note([said("online")])
    starting = [workers.untold() for _ in range(3)]
    workers.note([said("heartbeat")])
    listening = [workers.untold() for _ in range(2)]
    workers.note([said("heartbeat")])

    assert starting == [["celery@a"]] * 3
    assert listening == [["celery@a"], []]
    assert workers.untold() == []


def test_a_worker_that_starts_and_sends_no_heartbeat_is_not_told_for_ever() -> None:
    clock = Clock()
    workers = Arrivals(clock=clock)

    workers.note([said("online")])
    clock.at = STARTING
    told = [workers.untold() for _ in range(2)]

    assert told == [["celery@a"], []]


def test_workers_that_arrive_together_are_told_together_and_asked_together() -> None:
    workers = Arrivals(clock=Clock())
    names = [f"celery@{number}" for number in range(9)]

    workers.note([said("heartbeat", name) for name in names])

    assert [workers.untold(), workers.untold()] == [names, []]
    assert [workers.take(), workers.take()] == [names, []]


def test_a_worker_that_starts_again_arrives_again() -> None:
    workers = Arrivals(clock=Clock())
    workers.note([said("heartbeat")])
    assert (workers.take(), workers.untold()) == (["celery@a"], ["celery@a"])

    workers.note([said("online")])

    assert (workers.take(), workers.untold()) == (["celery@a"], ["celery@a"])


def test_names_without_end_are_not_remembered_without_end() -> None:
    workers = Arrivals(clock=Clock())

    workers.note([said("online", f"celery@{number}") for number in range(arrivals.REMEMBERED + 5)])

    assert len(workers.untold()) == 5
