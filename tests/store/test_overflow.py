"""Who makes up names without end gets one row for all of them, and its events are kept with their true names."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from tests.store import recount
from tests.store.conftest import Query

from flower_store import factories
from flower_store.dimensions import OVERFLOW, Bounds
from flower_store.events import TaskEvent
from flower_store.factories import an_event
from flower_store.reader import Reader
from flower_store.reads import tasks
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

BOUNDS = Bounds(names=3, queues=3, workers=3, types=3)


def task_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


@pytest.fixture
def bounded(settings: StoreSettings) -> Iterator[Writer]:
    writer = Writer(settings, cluster="default", bounds=BOUNDS)
    yield writer
    writer.close()


def made_up(number: int) -> list[TaskEvent]:
    return [
        an_event("sent", task_id=task_id(number), worker="client", name=f"app.n{number}", queue=f"q{number}"),
        an_event("received", 1, task_id=task_id(number), worker=f"w{number}", name=f"app.n{number}"),
        an_event(f"own{number}", 2, task_id=task_id(number), worker=f"w{number}", x=1),
    ]


@pytest.mark.parametrize("table", ["task_name", "queue", "worker", "event_type"])
def test_a_flood_of_names_costs_one_row_past_the_bound(bounded: Writer, query: Query, table: str) -> None:
    overflowed = 0
    for start in range(0, 2_000, 500):
        written = bounded.write([event for number in range(start, start + 500) for event in made_up(number)])
        overflowed += sum(written.overflowed.values())

    assert query(f"SELECT count(*) FROM {table} WHERE cluster_id IS NOT NULL") == [(BOUNDS.names + 1,)]
    assert overflowed == 4 * (2_000 - BOUNDS.names)


@pytest.mark.parametrize("table", ["task_name", "queue", "worker", "event_type"])
def test_writers_at_the_same_moment_keep_the_bound(settings: StoreSettings, query: Query, table: str) -> None:
    writers = [Writer(settings, cluster="default", bounds=BOUNDS) for _ in range(4)]
    together = Barrier(len(writers))

    def write(place: int, writer: Writer) -> None:
        events = [event for number in range(20) for event in made_up(100 * place + number)]
        together.wait(30)
        writer.write(events)
        writer.close()

    with ThreadPoolExecutor(len(writers)) as threads:
        for written in [threads.submit(write, *one) for one in enumerate(writers)]:
            written.result()

    assert query(f"SELECT count(*) FROM {table} WHERE cluster_id IS NOT NULL") == [(BOUNDS.names + 1,)]


def test_names_that_were_there_before_the_flood_stay_themselves(bounded: Writer, query: Query) -> None:
    bounded.write(made_up(0))
    bounded.write([event for number in range(1, 50) for event in made_up(number)])

    bounded.write([an_event("received", 9, task_id=task_id(99), worker="w0", name="app.n0")])

    found = query(
        "SELECT n.name, w.hostname FROM task t JOIN task_name n ON n.id = name_id JOIN worker w ON w.id = worker_id "
        "WHERE t.key = %s::uuid",
        task_id(99),
    )
    assert found == [("app.n0", "w0")]


@pytest.mark.anyio
async def test_an_event_keeps_its_true_names(bounded: Writer, settings: StoreSettings) -> None:
    for number in range(10):
        bounded.write(made_up(number))
    reader = Reader(settings)

    async with reader.connect() as connection:
        sent, received, own = await tasks.events(connection, bounded.cluster_id, task_id(9))
        task = await tasks.one(connection, bounded.cluster_id, task_id(9))
    await reader.close()

    assert sent.fields == {"name": "app.n9", "queue": "q9"}
    assert received.fields == {"name": "app.n9", "hostname": "w9"}
    assert (own.type, own.fields) == (OVERFLOW, {"type": "task-own9", "hostname": "w9", "x": 1})
    assert task is not None
    assert (task.name, task.queue, task.worker) == (OVERFLOW, OVERFLOW, OVERFLOW)


def test_counts_of_a_flood_are_what_the_log_says(bounded: Writer, database_url: str) -> None:
    for number in range(20):
        bounded.write(made_up(number))

    with psycopg.connect(database_url) as connection:
        assert recount.differences(connection) == []


def test_heartbeats_past_the_bound_do_not_mix_in_one_worker(bounded: Writer, query: Query) -> None:
    bounded.write([], [factories.a_heartbeat(0, worker=f"w{number}") for number in range(10)])

    assert query("SELECT hostname, seen_at IS NULL FROM worker ORDER BY hostname") == [
        (OVERFLOW, True), ("w0", False), ("w1", False), ("w2", False),
    ]  # fmt: skip
