"""T57: a worker whose add-on fails at each event works about as fast as one without it, side by side."""

import logging
import os
import signal
from collections.abc import Iterator
from statistics import median
from typing import Any

import pytest
import redis
from tests.services import celery_app
from tests.services.workers import StartWorker, Worker
from tests.waiting import eventually

pytestmark = pytest.mark.faults

log = logging.getLogger(__name__)

WITHOUT, FAILING = "tests.services.celery_app", "tests.services.durable_app"
KEY = "flower.celeryev"
ROUNDS = 3
TASKS = 1_500
LEFT = TASKS // 10
"""So many of the faster one's are left when both are counted."""
SOLO = ("--pool", "solo")

Client = Any  # redis-py's types are a union of answers and promises of answers


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_tasks_of_a_worker_whose_addon_fails_run_as_fast_as_without_it(
    redis_url: str, client: Client, start_worker: StartWorker
) -> None:
    client.set(KEY, "a text")
    workers = [
        start_worker(redis_url, queues=[app], app=app, options=SOLO, settings={"task_send_sent_event": False})
        for app in (WITHOUT, FAILING)
    ]

    ratios = [side_by_side(redis_url, client, workers) for _ in range(ROUNDS)]

    log.info("tasks with the failing add-on to tasks without: %s", [f"{one:.2f}" for one in ratios])
    assert "published but not appended" in workers[1].log.read_text()
    assert client.get(KEY) == b"a text"
    assert median(ratios) > 0.8


def side_by_side(redis_url: str, client: Client, workers: list[Worker]) -> float:
    """How many tasks the failing one has done for each of the other's, of as many that wait for each."""
    tell(workers, signal.SIGSTOP)
    celery = celery_app.client(redis_url, settings={"task_send_sent_event": False})
    for _ in range(TASKS):
        for queue in (WITHOUT, FAILING):
            celery.send_task("tests.add", (2, 3), queue=queue)
    celery.close()

    tell(workers, signal.SIGCONT)
    eventually(lambda: min(waiting(client)) <= LEFT)
    without, failing = (TASKS - left for left in waiting(client))
    eventually(lambda: max(waiting(client)) == 0)
    return failing / without


def waiting(client: Client) -> tuple[int, int]:
    """Tasks in the queues of both, at one moment."""
    with client.pipeline() as pipeline:
        without, failing = pipeline.llen(WITHOUT).llen(FAILING).execute()
    return without, failing


def tell(workers: list[Worker], number: signal.Signals) -> None:
    for worker in workers:
        os.kill(worker.pid, number)
