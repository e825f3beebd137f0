"""Real workers: alive by heartbeat or by inspection, their events switched on."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.collector.conftest import Query
from tests.services import celery_app
from tests.services.workers import StartWorker
from tests.waiting import eventually

from flower_collector.service import Collector

pytestmark = pytest.mark.slow

StartCollector = Callable[..., Collector]
ALIVE = "SELECT hostname, heartbeat_at IS NOT NULL FROM worker WHERE alive_until > now()"
METHODS = "SELECT DISTINCT method FROM worker_reply ORDER BY 1"


@pytest.fixture(params=["redis_url", "rabbitmq_url"])
def broker_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@contextmanager
def sending(broker_url: str) -> Generator[Callable[[str], None]]:
    """Send tasks by name."""
    client = celery_app.client(broker_url)
    with client.connection_for_write() as connection:
        producer = client.amqp.Producer(connection, auto_declare=False)
        yield lambda name: client.send_task(name, producer=producer)


def test_a_worker_lives_by_its_heartbeats_until_it_says_goodbye(
    broker_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    start_collector(broker_url)
    worker = start_worker(broker_url)
    eventually(lambda: query(ALIVE) == [(worker.hostname, True)])
    eventually(lambda: query(METHODS) == [("active_queues",), ("conf",), ("registered",), ("stats",)])

    worker.stop()

    eventually(lambda: query("SELECT type FROM worker_event ORDER BY at DESC LIMIT 1") == [("worker-offline",)])


def test_a_worker_without_heartbeats_lives_by_inspection(
    broker_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    worker = start_worker(broker_url, options=["--without-heartbeat", "--without-gossip", "--without-mingle"])

    start_collector(broker_url)

    eventually(lambda: query(ALIVE) == [(worker.hostname, False)])
    eventually(lambda: query("SELECT reply->>'prefetch_count' FROM worker_reply WHERE method = 'stats'"))


def test_workers_that_send_no_events_are_told_to(
    broker_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    start_worker(broker_url, app="tests.collector.quiet_app")
    start_collector(broker_url)

    with sending(broker_url) as send:

        def sent_and_seen() -> bool:
            send("quiet.nothing")
            return query("SELECT 1 FROM task_event WHERE type = 4 LIMIT 1") != []

        eventually(sent_and_seen)


def test_a_new_worker_is_told_to_send_events_as_soon_as_it_listens(
    broker_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    start_collector(broker_url, enable_events_interval=timedelta(hours=1))
    start_worker(broker_url, app="tests.collector.quiet_app")

    with sending(broker_url) as send:
        send("quiet.moment")

        eventually(lambda: query("SELECT 1 FROM task_event WHERE type = 4"))


def test_workers_are_left_alone_where_that_is_wished(
    redis_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    worker = start_worker(redis_url, app="tests.collector.quiet_app")
    start_collector(redis_url, enable_events=False)

    # Inspections go on: by their answer, events would long have been switched on.
    asked = "SELECT count(*) FROM worker_reply WHERE method = 'conf'"
    with sending(redis_url) as send:
        send("quiet.nothing")
        eventually(lambda: query(asked) != [(0,)])
        send("quiet.nothing")
        eventually(lambda: query("SELECT processed FROM worker") == [(2,)])

    assert query("SELECT hostname FROM worker") == [(worker.hostname,)]
    assert query("SELECT type FROM task_event WHERE type <> 1") == []
