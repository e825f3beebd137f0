"""Every task of a real cluster ends in the store as it ended in its result backend, and each event counts once."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.collector import garbage
from tests.collector.publishing import Publisher
from tests.e2e.collecting import CollectorProcess
from tests.e2e.tasks import NUMBER, Run
from tests.services.workers import StartWorker
from tests.waiting import eventually

pytestmark = pytest.mark.slow

Query = Callable[[str], list[tuple[Any, ...]]]
QUEUE = "flower.default"
STATES = "SELECT coalesce(id_text, key::text), state FROM task"
EVENTS = "SELECT t.name, count(*) FROM task_event JOIN event_type t ON t.id = type GROUP BY 1"
ROLLED_UP = "SELECT type, sum(count)::bigint FROM rollup_{} GROUP BY 1"
# Two cores under other people's load: 2,000 tasks took 10 to 30 s.
PATIENCE = 180.0
ROUNDS = 10


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield lambda statement: connection.execute(statement.encode()).fetchall()


@pytest.fixture
def result_backend(redis_url: str) -> str:
    """Beside the broker's database, where that is Redis."""
    return redis_url.removesuffix("/0") + "/1"


@pytest.fixture(params=["rabbitmq_url", "redis_url"])
def broker_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def start_collector(tmp_path: Path, database_url: str) -> Iterator[Callable[[str], CollectorProcess]]:
    running: list[CollectorProcess] = []

    def start(broker_url: str) -> CollectorProcess:
        running.append(CollectorProcess(tmp_path, broker_url=broker_url, database_url=database_url))
        running[-1].start()
        return running[-1]

    yield start
    for collector in running:
        collector.kill()


@pytest.fixture
def start_workers(start_worker: StartWorker, result_backend: str) -> Callable[[str], None]:
    def start(broker_url: str) -> None:
        for _ in range(2):
            start_worker(broker_url, result_backend=result_backend)

    return start


def test_2000_tasks_end_in_the_store_as_in_the_result_backend(
    *,
    broker_url: str,
    result_backend: str,
    start_collector: Callable[[str], CollectorProcess],
    start_workers: Callable[[str], None],
    query: Query,
) -> None:
    collector = start_collector(broker_url)
    start_workers(broker_url)

    with Publisher(broker_url) as publisher, Run(broker_url, result_backend, seed=2) as run:
        for _ in range(ROUNDS):
            run.send(NUMBER // ROUNDS)
            garbage.publish(publisher)
        eventually(run.ended, within=PATIENCE)

        assert_that_the_store_agrees(query, run)
    expected = {reason: number * ROUNDS for reason, number in garbage.REASONS.items()}
    assert dict(query("SELECT reason, count(*) FROM set_aside GROUP BY 1")) == expected
    assert collector.ready()


def test_a_collector_killed_again_and_again_on_rabbitmq_loses_and_doubles_nothing(
    *,
    rabbitmq_url: str,
    result_backend: str,
    start_collector: Callable[[str], CollectorProcess],
    start_workers: Callable[[str], None],
    query: Query,
) -> None:
    collector = start_collector(rabbitmq_url)
    start_workers(rabbitmq_url)

    with Publisher(rabbitmq_url) as publisher, Run(rabbitmq_url, result_backend, seed=9) as run:
        for _ in range(4):
            before = stored(query)
            run.send(NUMBER // 4)
            eventually(lambda seen=before: stored(query) > seen)  # type: ignore[misc]
            collector.kill()
            eventually(lambda: publisher.waiting(QUEUE) > 0)
            collector.start()
        eventually(run.ended, within=PATIENCE)
        assert_that_the_store_agrees(query, run)
        eventually(lambda: publisher.waiting(QUEUE) == 0)


def assert_that_the_store_agrees(query: Query, run: Run) -> None:
    """The same tasks in the same states, and each event of their lives once: in the log and in both rollups."""
    ended = run.states()

    eventually(lambda: len(query(STATES)) == NUMBER and dict(query(STATES)) == ended, within=PATIENCE)
    eventually(lambda: Counter(dict(query(EVENTS))) == run.expected, within=PATIENCE)
    for unit in ("1m", "1h"):
        assert Counter(dict(query(ROLLED_UP.format(unit)))) == run.expected


def stored(query: Query) -> int:
    ((count,),) = query("SELECT count(*) FROM task_event")
    assert isinstance(count, int)
    return count
