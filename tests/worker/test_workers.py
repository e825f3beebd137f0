"""The add-on in real workers and clients, whose processes fork and run an event loop."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from tests.collector.conftest import Query, launch_collector, line, query, start_collector, store_settings
from tests.services import celery_app
from tests.services.workers import StartWorker
from tests.waiting import eventually

from flower_collector.service import Collector

pytestmark = pytest.mark.slow
__all__ = ["launch_collector", "line", "query", "start_collector", "store_settings"]

APP = "tests.services.durable_app"
KEY = "flower.celeryev"
TASKS = 60
STATES = "SELECT state, count(*) FROM task GROUP BY 1 ORDER BY 1"
COUNTED = "SELECT sum(count)::int FROM rollup_1m WHERE type = 'task-succeeded'"
STARTED = "SELECT coalesce(sum(processed), 0)::int, coalesce(sum(missing), 0)::int FROM completeness"


def run_tasks(redis_url: str) -> Callable[[], bool]:
    """Send tasks that succeed, some after a retry; gives whether all have, as the result backend knows."""
    client = celery_app.client(redis_url, backend(redis_url))
    sent = [client.send_task("tests.retry_then_succeed", (number % 2,)) for number in range(TASKS)]
    return lambda: all(result.successful() for result in sent)


def backend(redis_url: str) -> str:
    return redis_url.removesuffix("/0") + "/1"


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_what_workers_did_while_no_collector_ran_is_all_stored(
    pool: str, redis_url: str, start_worker: StartWorker, start_collector: Callable[..., Collector], query: Query
) -> None:
    start_worker(redis_url, result_backend=backend(redis_url), app=APP, options=["--pool", pool])
    eventually(run_tasks(redis_url))

    start_collector(redis_url, redis_mode="stream")

    eventually(lambda: query(STATES) == [("SUCCESS", TASKS)])
    # Each second task is started twice; the heartbeats know how many were.
    eventually(lambda: query(STARTED) == [(TASKS * 3 // 2, 0)])


def test_what_workers_do_counts_once_though_it_comes_by_both_ways(
    redis_url: str, start_worker: StartWorker, start_collector: Callable[..., Collector], query: Query
) -> None:
    start_collector(redis_url)
    start_worker(redis_url, result_backend=backend(redis_url), app=APP)

    eventually(run_tasks(redis_url))

    eventually(lambda: query(STATES) == [("SUCCESS", TASKS)])
    eventually(lambda: query(STARTED) == [(TASKS * 3 // 2, 0)])
    assert query(COUNTED) == [(TASKS,)]


def test_a_worker_that_cannot_append_works_and_publishes_on_and_tells_it_once(
    redis_url: str, start_worker: StartWorker, start_collector: Callable[..., Collector], query: Query
) -> None:
    client: Any = redis.Redis.from_url(redis_url)
    client.set(KEY, "a text")
    start_collector(redis_url, redis_mode="pubsub")
    worker = start_worker(redis_url, result_backend=backend(redis_url), app=APP)

    eventually(run_tasks(redis_url))

    eventually(lambda: query(STATES) == [("SUCCESS", TASKS)])
    assert client.get(KEY) == b"a text"
    client.close()
    told = worker.log.read_text().count("published but not appended")
    # Once a process: the worker's own, and each of its children that sent an event (a retry).
    assert 1 <= told <= 3
