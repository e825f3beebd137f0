"""T09 and T10: RabbitMQ killed under a real worker. Its events that are gone are counted exactly, or none is gone.

Each task writes down its runs outside of Celery, so that the truth is known of tasks that are delivered and run again.
Beside the result backend stands the worker's own count, which it is asked for.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest
import redis
from kombu import pools
from tests.e2e.collecting import CollectorProcess
from tests.faults import confirming_tasks, real_tasks
from tests.faults.conftest import Query
from tests.services import celery_app
from tests.services.rabbitmq import RabbitMQ
from tests.services.workers import StartWorker
from tests.waiting import eventually

pytestmark = pytest.mark.faults

_pools: Any = pools  # kombu ships no types
log = logging.getLogger(__name__)

TASKS = 2_500
KILLS = 3
CONCURRENCY = 2
UNHEARD = 20
"""Runs while the broker takes nothing and says nothing, before it is killed."""
PATIENCE = 180.0
# More tasks in hand than will run unheard.
OPTIONS = ("--prefetch-multiplier", "50")
STARTED = "SELECT key::text, count(*) FROM task_event e JOIN task t ON t.id = e.task_id WHERE e.type = 3 GROUP BY 1"
AUDITED = "SELECT coalesce(sum(processed), 0)::int, coalesce(sum(missing), 0)::int FROM completeness"

StartCollector = Callable[[str], CollectorProcess]


class Tasks:
    """So many tasks on their way, and what they themselves tell."""

    def __init__(self, broker_url: str, result_backend: str) -> None:
        self._broker_url = broker_url
        self._results = redis.Redis.from_url(result_backend)
        self._client = celery_app.client(broker_url, result_backend)
        self.sent = {self._client.send_task("tests.noted").id for _ in range(TASKS)}

    def runs(self) -> int:
        return self._results.llen(real_tasks.RUNS)

    def accepted(self) -> int:
        """How many runs the worker says it has begun; it is asked, and tells it by no event."""
        _pools.reset()  # its connections went with the broker
        client = celery_app.client(self._broker_url)
        answers = client.control.inspect(timeout=1, limit=1).stats() or {}
        client.close()
        return sum(sum(stats["total"].values()) for stats in answers.values())

    def succeeded(self) -> bool:
        """Whether each has, by the word of the result backend."""
        keys = [f"celery-task-meta-{one}" for one in self.sent]
        found = cast("Sequence[bytes | None]", self._results.mget(keys))
        return all(each and b'"SUCCESS"' in each for each in found)

    def close(self) -> None:
        self._client.close()
        self._results.close()


@pytest.fixture
def result_backend(redis_url: str) -> str:
    return redis_url.removesuffix("/0") + "/1"


@pytest.fixture
def tasks(rabbitmq_url: str, result_backend: str) -> Iterator[Tasks]:
    tasks = Tasks(rabbitmq_url, result_backend)
    yield tasks
    tasks.close()


@pytest.fixture
def collected(start_collector: StartCollector, rabbitmq_url: str) -> CollectorProcess:
    return start_collector(rabbitmq_url)


@pytest.mark.parametrize(("pool", "disowned"), [("solo", 0), ("prefork", CONCURRENCY)])
def test_what_a_worker_told_a_dying_broker_is_missed_exactly(
    *,
    rabbitmq: RabbitMQ,
    rabbitmq_url: str,
    result_backend: str,
    tasks: Tasks,
    collected: CollectorProcess,
    start_worker: StartWorker,
    query: Query,
    pool: str,
    disowned: int,
) -> None:
    """The broker hangs before it dies, so that what it was told is surely gone.

    A pool of processes may run what Celery took back from it when the connection went, one task a process, and neither
    counts nor tells it.
    """
    options = ("--pool", pool, *OPTIONS)
    start_worker(rabbitmq_url, result_backend=result_backend, app=real_tasks.__name__, options=options)
    eventually(lambda: tasks.runs() > TASKS // 4, within=PATIENCE)

    rabbitmq.pause()
    before = tasks.runs()
    eventually(lambda: tasks.runs() >= before + UNHEARD)
    rabbitmq.kill()
    rabbitmq.start()

    accepted = audited(tasks, query)
    missing = accepted - starts_seen(query).total()
    log.info("%s: %d starts of %d were not seen, %d runs", pool, missing, accepted, tasks.runs())
    assert query(AUDITED) == [(accepted, missing)]
    assert missing >= UNHEARD // 2
    assert 0 <= tasks.runs() - accepted <= disowned
    assert collected.running


def test_nothing_is_missing_where_the_worker_waits_for_receipts(
    *,
    rabbitmq: RabbitMQ,
    rabbitmq_url: str,
    result_backend: str,
    tasks: Tasks,
    collected: CollectorProcess,
    start_worker: StartWorker,
    query: Query,
) -> None:
    start_worker(rabbitmq_url, result_backend=result_backend, app=confirming_tasks.__name__, options=OPTIONS)
    for kill in range(KILLS):
        reached = TASKS * (kill + 1) // (KILLS + 1)
        eventually(lambda runs=reached: tasks.runs() > runs, within=PATIENCE)  # type: ignore[misc]
        rabbitmq.kill()
        rabbitmq.start()

    accepted = audited(tasks, query)
    assert query(AUDITED) == [(accepted, 0)]
    assert starts_seen(query).total() == accepted
    assert starts_seen(query).keys() == tasks.sent
    assert collected.running


def audited(tasks: Tasks, query: Query) -> int:
    """Once each task has succeeded and all that the worker says it has accepted is audited: how many these are."""
    eventually(tasks.succeeded, within=PATIENCE)
    eventually(lambda: query(AUDITED)[0][0] == tasks.accepted(), within=PATIENCE)
    return tasks.accepted()


def starts_seen(query: Query) -> Counter[str]:
    return Counter(dict(query(STARTED)))
