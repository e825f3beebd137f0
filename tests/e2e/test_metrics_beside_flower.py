"""Flower 2.2.0 and two of ours listen to the same real worker, and tell Prometheus the same, family by family.

What Flower tells wrong is looked at, too: a worker that is killed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from bench.stage import flower2
from prometheus_client import parser
from prometheus_client.metrics_core import Metric
from tests.api.scraping import Series, series
from tests.e2e.collecting import CollectorProcess
from tests.services import celery_app
from tests.services.workers import StartWorker, Worker
from tests.waiting import eventually
from tests.web.serving import served

from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings
from flower_web.app import create_app

pytestmark = pytest.mark.slow

FAMILIES = (
    "flower_events",
    "flower_task_runtime_seconds",
    "flower_task_prefetch_time_seconds",
    "flower_worker_prefetched_tasks",
    "flower_worker_online",
    "flower_worker_number_of_currently_executing_tasks",
)
COUNTERS = FAMILIES[:2]
BUCKETS = "0.01,0.1,0.5,1,5,inf"


@dataclass(frozen=True)
class Scene:
    """A worker, Flower, a collector, and two replicas of ours over its store."""

    worker: Worker
    broker_url: str
    theirs: httpx.Client
    ours: httpx.Client
    second: httpx.Client
    collector: CollectorProcess


@pytest.fixture(params=["rabbitmq_url", "redis_url"])
def scene(
    *, tmp_path: Path, request: pytest.FixtureRequest, database_url: str, start_worker: StartWorker
) -> Iterator[Scene]:
    broker_url: str = request.getfixturevalue(request.param)
    collector = CollectorProcess(tmp_path, broker_url=broker_url, database_url=database_url)
    collector.start()
    settings = ApiSettings(port=0, task_runtime_metric_buckets=tuple(BUCKETS.split(",")))
    store = StoreSettings(database_url=database_url)
    try:
        with (
            flower2.running(broker_url, variables={"FLOWER_TASK_RUNTIME_METRIC_BUCKETS": BUCKETS}) as flower,
            served(create_app(settings, store)) as first,
            served(create_app(settings, store)) as other,
            httpx.Client(base_url=flower.address, timeout=30) as theirs,
            httpx.Client(base_url=first, timeout=30) as ours,
            httpx.Client(base_url=other, timeout=30) as second,
        ):
            worker = start_worker(broker_url, concurrency=1)
            yield Scene(worker, broker_url, theirs, ours, second, collector)
    finally:
        collector.kill()


def scraped(client: httpx.Client) -> dict[str, Metric]:
    answer = client.get("/metrics").raise_for_status()
    return {one.name: one for one in parser.text_string_to_metric_families(answer.text) if one.name in FAMILIES}


def of(client: httpx.Client, name: str, *labels: str) -> Series:
    """Of the test's own tasks and its worker: Flower has heard of a greeting, too, before the worker came."""
    found = series(scraped(client), name, *labels)
    return {key: value for key, value in found.items() if not any("hello" in one or "bench" in one for one in key)}


def events(client: httpx.Client) -> Series:
    """By type, task and worker; the sender of task-sent is a worker in Flower's eyes, of a name of its own."""
    found: Series = {}
    for (kind, task, worker), count in of(client, "flower_events_total", "type", "task", "worker").items():
        if task.startswith("tests."):
            key = (kind, task, "" if kind == "task-sent" else worker)
            found[key] = found.get(key, 0.0) + count
    return found


def send(scene: Scene) -> Series:
    """Tasks that end, and the events that they are."""
    client = celery_app.client(scene.broker_url)
    for name, *arguments in (("add", 1, 2), ("add", 3, 4), ("fail", 5), ("slow", 0.3), ("retry_then_succeed", 1)):
        client.send_task(f"tests.{name}", arguments)
    host = scene.worker.hostname
    ends = {"add": ("succeeded", 2.0), "fail": ("failed", 1.0), "slow": ("succeeded", 1.0)}
    expected: Series = {(f"task-{end}", f"tests.{name}", host): count for name, (end, count) in ends.items()}
    for end in ("retried", "succeeded"):
        expected[f"task-{end}", "tests.retry_then_succeed", host] = 1.0
    return expected


def holds(client: httpx.Client, expected: Series) -> bool:
    return expected.items() <= events(client).items()


def test_every_family_tells_what_flower_tells(scene: Scene) -> None:
    expected = send(scene)
    for client in (scene.theirs, scene.ours):
        eventually(lambda client=client: holds(client, expected))  # type: ignore[misc]
        eventually(lambda client=client: online(client, scene) == {(scene.worker.hostname,): 1.0})  # type: ignore[misc]

    theirs, ours = scraped(scene.theirs), scraped(scene.ours)
    assert list(ours) == list(theirs) == list(FAMILIES)
    for name in FAMILIES:
        assert (ours[name].type, ours[name].documentation) == (theirs[name].type, theirs[name].documentation)
        names = [{(one.name, *sorted(one.labels)) for one in told[name].samples if not one.name.endswith("_created")}
                 for told in (theirs, ours)]  # fmt: skip
        assert {tuple(word for word in one if word != "cluster") for one in names[1]} == names[0], name

    assert events(scene.ours) == events(scene.theirs)
    for part in ("bucket", "count"):
        labels = ("task", "worker", *(["le"] if part == "bucket" else []))
        told = [of(one, f"flower_task_runtime_seconds_{part}", *labels) for one in (scene.theirs, scene.ours)]
        assert told[0] == told[1]
        assert sum(told[1].values()) >= 4
    sums = [of(one, "flower_task_runtime_seconds_sum", "task", "worker") for one in (scene.theirs, scene.ours)]
    assert sums[1] == pytest.approx(sums[0], abs=1e-5)
    for name in ("flower_worker_prefetched_tasks", "flower_task_prefetch_time_seconds"):
        told = [of(one, name, "task", "worker") for one in (scene.theirs, scene.ours)]
        assert told[1] == told[0] == dict.fromkeys(told[0], 0.0), name


def online(client: httpx.Client, scene: Scene) -> Series:
    found = of(client, "flower_worker_online", "worker")
    return {key: one for key, one in found.items() if key == (scene.worker.hostname,)}


def busy(client: httpx.Client) -> tuple[Series, Series, Series]:
    """What waits at the worker, how long what runs had waited, and how many run."""
    return (
        of(client, "flower_worker_prefetched_tasks", "task", "worker"),
        of(client, "flower_task_prefetch_time_seconds", "task", "worker"),
        of(client, "flower_worker_number_of_currently_executing_tasks", "worker"),
    )


def test_while_tasks_run_and_wait_and_when_their_worker_is_killed(scene: Scene) -> None:
    host = scene.worker.hostname
    client = celery_app.client(scene.broker_url)
    client.send_task("tests.slow", (1.5,))
    for _ in range(3):
        client.send_task("tests.slow", (600,))
    client.send_task("tests.slow", (600,), countdown=600)

    def settled(of_whom: httpx.Client) -> bool:
        waiting, waited, running = busy(of_whom)
        key = ("tests.slow", host)
        return waiting.get(key) == 2.0 and waited.get(key, 0.0) > 1.0 and running.get((host,)) == 1.0

    for one in (scene.theirs, scene.ours):
        eventually(lambda one=one: settled(one))  # type: ignore[misc]
    theirs, ours = busy(scene.theirs), busy(scene.ours)
    assert ours[1] == pytest.approx(theirs[1], abs=1e-5)
    assert (ours[0], ours[2]) == (theirs[0], theirs[2])

    scene.worker.kill()

    eventually(lambda: online(scene.ours, scene) == {(host,): 0.0})
    assert busy(scene.ours) == ({("tests.slow", host): 0.0}, {("tests.slow", host): 0.0}, {(host,): 0.0})
    # What is wrong with it in Flower, and the reason for this test.
    assert online(scene.theirs, scene) == {(host,): 1.0}
    assert busy(scene.theirs)[2] == {(host,): 1.0}


def test_counters_are_equal_on_both_replicas_and_survive_the_collector(scene: Scene) -> None:
    expected = send(scene)
    for client in (scene.ours, scene.second):
        eventually(lambda client=client: holds(client, expected))  # type: ignore[misc]
    before = counters(scene.ours)

    scene.collector.kill()
    scene.collector.start()

    assert counters(scene.ours) == counters(scene.second) == before
    again = {key: 2 * count for key, count in send(scene).items()}
    for client in (scene.ours, scene.second):
        eventually(lambda client=client: holds(client, again))  # type: ignore[misc]
    assert counters(scene.ours) == counters(scene.second)


def counters(client: httpx.Client) -> list[str]:
    """The lines of counters."""
    return re.findall(r"^flower_(?:events|task_runtime)_.*$", client.get("/metrics").text, re.MULTILINE)
