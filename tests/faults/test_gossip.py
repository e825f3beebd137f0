"""T37 and T38: workers that gossip read the same exchange as we do; neither poison nor what we send stops anything."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.collector.conftest import launch_collector, line, start_collector, store_settings
from tests.collector.publishing import Publisher
from tests.faults.conftest import Query
from tests.services import celery_app
from tests.services.workers import StartWorker
from tests.waiting import eventually

from flower_collector.service import Collector

pytestmark = pytest.mark.faults
__all__ = ["launch_collector", "line", "start_collector", "store_settings"]

StartCollector = Callable[..., Collector]
HOSTS = ("one@here", "two@here")
POISON = 10**30
TASKS = 20
SUCCEEDED = "SELECT count(*) FROM task WHERE state = 'SUCCESS'"
PROBES = 10


def sample(collector: Collector, name: str) -> float:
    return collector.metrics.registry.get_sample_value(name) or 0


def run_tasks(broker_url: str) -> None:
    app: Any = celery_app.client(broker_url)
    for number in range(TASKS):
        app.send_task("tests.add", (number, 1))
    app.close()


def answering(broker_url: str) -> set[str]:
    app: Any = celery_app.client(broker_url)
    answers: list[dict[str, object]] = app.control.ping(timeout=2)
    app.close()
    return {host for answer in answers for host in answer}


def test_events_of_workers_whose_clocks_were_poisoned_are_stored_and_counted(
    rabbitmq_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    collector = start_collector(rabbitmq_url)
    for host in HOSTS:
        start_worker(rabbitmq_url, hostname=host)

    with Publisher(rabbitmq_url) as publisher:
        publisher.heartbeat("poison@here", clock=POISON)
    eventually(lambda: sample(collector, "flower_collector_clocks_clamped_total") >= 1)
    # The workers have adopted it when their own events bear it, which are more than the one that we sent.
    eventually(lambda: sample(collector, "flower_collector_clocks_clamped_total") > 1)
    run_tasks(rabbitmq_url)

    eventually(lambda: query(SUCCEEDED) == [(TASKS,)])
    assert query("SELECT reason FROM set_aside") == []
    assert collector.ready()


def test_nothing_that_we_publish_ends_a_worker_that_gossips(
    rabbitmq_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    workers = [start_worker(rabbitmq_url, hostname=host) for host in HOSTS]
    collector = start_collector(rabbitmq_url, probe_interval=timedelta(milliseconds=200))

    eventually(lambda: sample(collector, "flower_collector_probe_seconds_count") >= PROBES)
    eventually(lambda: query("SELECT count(DISTINCT worker_id) FROM worker_reply") == [(len(HOSTS),)])
    run_tasks(rabbitmq_url)

    eventually(lambda: query(SUCCEEDED) == [(TASKS,)])
    assert answering(rabbitmq_url) == set(HOSTS)
    for worker in workers:
        assert "Traceback" not in worker.log.read_text()
