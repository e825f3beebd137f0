"""The leader's duties, round by round, on a real database and a clock of our own."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from tests.collector.messages import NOON
from tests.waiting import GENEROUS, eventually

from flower_collector.availability import Availability
from flower_collector.buffer import Buffer
from flower_collector.duties import Duties
from flower_collector.findings import Findings
from flower_collector.gaps import Gap, Gaps
from flower_collector.metrics import Metrics
from flower_collector.writer import Totals
from flower_store import factories, losses, writes
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
def noted() -> Gaps:
    return Gaps()


@pytest.fixture
def duties(database_url: str, clock: Clock, broker: Availability, noted: Gaps) -> Iterator[Duties]:
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
        noted=noted,
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


def test_a_gap_that_a_kill_would_hide_is_recorded_at_once_and_its_finder_hears_of_the_commit(
    duties: Duties, noted: Gaps, query: Query
) -> None:
    duties.start()  # by its clock, which stands still, the second beat never comes
    eventually(lambda: query("SELECT 1 FROM collector"))

    noted.note(Gap(NOON, NOON, losses.BUFFER_FULL, count=1))
    noted.note(Gap(NOON, NOON, losses.BROKER_RESTARTED))
    eventually(lambda: len(query("SELECT 1 FROM gap")) == 2)
    awaited = Gap(NOON, NOON, losses.QUEUE_OVERFLOW, count=3, identity=uuid4(), recorded=threading.Event())
    noted.note(awaited)

    assert awaited.recorded is not None
    assert awaited.recorded.wait(GENEROUS)
    assert query("SELECT sum(count)::int FROM gap") == [(4,)]
    duties.resign()
    duties.finish()
    duties.join(GENEROUS)
    assert not duties.is_alive()


def test_a_hole_at_the_beginning_of_all_is_recorded_where_no_collector_ever_lived(
    duties: Duties, noted: Gaps, query: Query
) -> None:
    hole = Gap(None, NOON, losses.STREAM_TRIMMED, count=5, identity=uuid4(), recorded=threading.Event())

    noted.note(hole)
    duties.work_once()

    assert query("SELECT started_at = ended_at, count FROM gap") == [(True, 5)]
