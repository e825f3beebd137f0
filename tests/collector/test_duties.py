"""The leader's duties, round by round, on a real database and a clock of our own."""

import socket
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from flower_collector.availability import Availability
from flower_collector.buffer import Buffer
from flower_collector.duties import Duties
from flower_collector.findings import Findings
from flower_collector.gaps import Gaps
from flower_collector.metrics import Metrics
from flower_collector.writer import Totals
from flower_store import factories, writes
from flower_store.settings import StoreSettings

Query = Callable[[str], list[tuple[Any, ...]]]
LOST = "SELECT count(*) FROM worker_event WHERE type = 'worker-lost'"
SILENT = "UPDATE worker SET alive_until = now() - interval '1 second' RETURNING 1"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield lambda statement: connection.execute(statement.encode()).fetchall()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broker(clock: Clock) -> Availability:
    broker = Availability(clock)
    broker.answered()
    return broker


@pytest.fixture
def duties(database_url: str, clock: Clock, broker: Availability) -> Iterator[Duties]:
    store = writes.Writer(StoreSettings(database_url=database_url), cluster="default")
    store.write([], [factories.a_heartbeat(0)])
    metrics = Metrics()
    yield Duties(
        store,
        instance=writes.Instance(id=uuid4(), hostname=socket.gethostname(), pid=1, version="3", promise=""),
        promise=lambda: "",
        totals=Totals(),
        buffer=Buffer(messages=1, size=1),
        complete=None,
        noted=Gaps(),
        broker=broker,
        database=Availability(clock),
        metrics=metrics,
        found=Findings(metrics),
        failed=lambda error: pytest.fail(str(error)),
        clock=clock,
    )
    store.close()


def rounds(duties: Duties, clock: Clock, seconds: float) -> None:
    for _ in range(int(seconds / 2)):
        clock.seconds += 2
        duties.work_once()


def test_a_silent_worker_is_lost_only_after_we_have_listened_for_a_while(
    duties: Duties, clock: Clock, query: Query
) -> None:
    query(SILENT)

    rounds(duties, clock, 12)
    at_first = query(LOST)
    rounds(duties, clock, 12)

    assert (at_first, query(LOST)) == ([(0,)], [(1,)])


def test_a_pause_of_the_database_makes_no_worker_lost(duties: Duties, clock: Clock, query: Query) -> None:
    rounds(duties, clock, 30)
    query(SILENT)

    clock.seconds += 80
    duties.work_once()

    assert query(LOST) == [(0,)]


def test_a_missing_broker_makes_no_worker_lost(
    duties: Duties, clock: Clock, broker: Availability, query: Query
) -> None:
    rounds(duties, clock, 30)
    query(SILENT)

    broker.failed()
    rounds(duties, clock, 30)
    broker.answered()
    rounds(duties, clock, 10)

    assert query(LOST) == [(0,)]
