"""The leader's duties, round by round, on a real database and a clock of our own."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
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
REASONS = "SELECT reason FROM gap"
DEAD = "UPDATE collector SET beat_at = beat_at - interval '1 hour' WHERE pid = 2 RETURNING 1"
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


class Neighbour:
    """Another collector's row."""

    def __init__(self, store: writes.Writer) -> None:
        self._store = store
        self._instance = writes.Instance(id=uuid4(), hostname="neighbour", pid=2, version="3", promise="")

    def beat(self, *, committed_at: datetime) -> None:
        self._store.beat(self._instance, stored=0, aside=0, lag=None, committed_at=committed_at)

    def stop(self) -> None:
        self._store.stopped(self._instance)


@pytest.fixture
def neighbours(database_url: str) -> Iterator[tuple[Neighbour, Neighbour]]:
    store = writes.Writer(StoreSettings(database_url=database_url), cluster="default")
    yield Neighbour(store), Neighbour(store)
    store.close()


@pytest.fixture
def store(database_url: str) -> Iterator[writes.Writer]:
    made = writes.Writer(StoreSettings(database_url=database_url), cluster="default")
    made.write([], [factories.a_heartbeat(0)])
    yield made
    made.close()


@pytest.fixture
def duties(store: writes.Writer, clock: Clock, broker: Availability, noted: Gaps) -> Duties:
    return of_a_collector(store, clock, broker, noted)


def of_a_collector(store: writes.Writer, clock: Clock, broker: Availability, noted: Gaps) -> Duties:
    metrics = Metrics()
    return Duties(
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


def test_after_a_slow_start_a_neighbour_still_has_the_time_of_a_beat_to_show_that_it_lives(
    duties: Duties, noted: Gaps, clock: Clock, query: Query, neighbours: tuple[Neighbour, Neighbour]
) -> None:
    neighbour, _ = neighbours
    neighbour.beat(committed_at=NOON)
    clock.seconds += 8
    noted.note(Gap(None, datetime.now(UTC), losses.COLLECTOR_AWAY))

    duties.work_once()
    neighbour.beat(committed_at=datetime.now(UTC))
    duties.work_once()
    query(DEAD)
    duties.work_once()

    assert query(REASONS) == []


def test_a_neighbour_that_is_killed_before_it_has_committed_does_not_cover_our_absence(
    duties: Duties, noted: Gaps, query: Query, neighbours: tuple[Neighbour, Neighbour]
) -> None:
    neighbour, _ = neighbours
    neighbour.beat(committed_at=NOON)
    noted.note(Gap(None, datetime.now(UTC), losses.COLLECTOR_AWAY))

    duties.work_once()
    neighbour.beat(committed_at=NOON)
    duties.work_once()
    while_it_lives = query(REASONS)
    query(DEAD)
    duties.work_once()

    assert while_it_lives == []
    assert query(REASONS) == [(losses.COLLECTOR_AWAY,)]


def test_a_neighbour_that_came_after_us_tells_nothing_of_the_time_before(
    duties: Duties, noted: Gaps, clock: Clock, query: Query, neighbours: tuple[Neighbour, Neighbour]
) -> None:
    killed, later = neighbours
    killed.beat(committed_at=NOON)
    noted.note(Gap(None, datetime.now(UTC), losses.COLLECTOR_AWAY))

    duties.work_once()
    query(DEAD)
    later.beat(committed_at=datetime.now(UTC))
    clock.seconds += 8
    duties.work_once()

    assert query(REASONS) == [(losses.COLLECTOR_AWAY,)]


class Together(writes.Writer):
    """Looks for the last beat with another one, before either beats."""

    met: threading.Barrier

    def last_beat(self) -> datetime | None:
        found = super().last_beat()
        self.met.wait(GENEROUS)
        return found


def test_an_absence_that_two_find_who_come_together_is_one_gap(
    database_url: str, clock: Clock, broker: Availability, query: Query, neighbours: tuple[Neighbour, Neighbour]
) -> None:
    neighbours[0].beat(committed_at=NOON)
    Together.met = threading.Barrier(2)
    stores = [Together(StoreSettings(database_url=database_url), cluster="default") for _ in range(2)]
    both = []
    for number, store in enumerate(stores):
        noted = Gaps()
        noted.note(Gap(None, NOON + timedelta(hours=1, seconds=number), losses.COLLECTOR_AWAY))
        both.append(of_a_collector(store, clock, broker, noted))

    with ThreadPoolExecutor() as threads:
        list(threads.map(Duties.work_once, both))
    query(DEAD)
    clock.seconds += 8
    for one, store in zip(both, stores, strict=True):
        one.work_once()
        store.close()

    assert query("SELECT ended_at FROM gap") == [(NOON + timedelta(hours=1, seconds=1),)]


@pytest.mark.parametrize(("covered", "gaps"), [(True, []), (False, [(losses.COLLECTOR_AWAY,)])])
def test_a_neighbour_that_stopped_covers_what_it_had_committed(  # noqa: PLR0917 - fixtures
    covered: bool,
    gaps: list[tuple[str]],
    duties: Duties,
    noted: Gaps,
    clock: Clock,
    query: Query,
    neighbours: tuple[Neighbour, Neighbour],
) -> None:
    neighbour, _ = neighbours
    subscribed_at = datetime.now(UTC)
    neighbour.beat(committed_at=datetime.now(UTC) if covered else NOON)
    neighbour.stop()
    noted.note(Gap(None, subscribed_at, losses.COLLECTOR_AWAY))

    clock.seconds += 8
    duties.work_once()

    assert query(REASONS) == gaps
