import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from tests.cli.embedded_processes import gone
from tests.services import celery_app, workers
from tests.waiting import eventually

from flower_cli.demo import app, workload
from flower_cli.embedded.broker import Broker

RATE = 50
# Each kind was seen within 25 s of the first event. On a busy machine the task that is to be terminated may
# not have begun when it is revoked; the next one follows three minutes later.
LIMIT_SECONDS = 300.0
QUEUES = {"orders", "mail", "media", "reports"}


@dataclass
class Seen:
    """What a receiver of events has seen of the demo."""

    names: dict[str, str] = field(default_factory=dict[str, str])
    events: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    failures: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    arguments: str = ""
    longest_argument: int = 0
    queues: set[str] = field(default_factory=set[str])
    terminated: set[bool] = field(default_factory=set[bool])
    etas: int = 0

    def take(self, event: dict[str, object]) -> None:
        task_id, kind = str(event.get("uuid")), str(event["type"])
        if kind == "task-sent":
            self.names[task_id] = str(event["name"])
            self.queues.add(str(event["queue"]))
            self.arguments += str(event["args"])
            self.longest_argument = max(self.longest_argument, len(str(event["args"])))
            self.etas += event["eta"] is not None
        self.events.setdefault(task_id, []).append(kind)
        self.kinds[self.names.get(task_id, "?"), kind] += 1
        if kind == "task-failed":
            self.failures.add((self.names.get(task_id, "?"), str(event["exception"]).split("(")[0]))
        if kind == "task-revoked":
            self.terminated.add(bool(event["terminated"]))

    def histories_with(self, *kinds: str) -> int:
        """How many tasks have had all these events."""
        return sum(set(kinds) <= set(events) for events in self.events.values())

    def missing(self) -> list[str]:
        """What of the demo's promise has not been seen yet."""
        failed_by = Counter(error for _, error in self.failures)
        promises = {
            "15 names": len(set(self.names.values())) >= 15,
            "4 queues": self.queues == QUEUES,
            "three exceptions, each of several tasks": sum(count > 1 for count in failed_by.values()) >= 3,
            "retries that recover": self.histories_with("task-retried", "task-succeeded") > 0,
            "retries that run out": self.histories_with("task-retried", "task-failed") > 0,
            "ETA": self.etas > 0,
            "revoked while waiting": False in self.terminated,
            "terminated while running": True in self.terminated,
            "a chord's body": self.kinds["media.publish_gallery", "task-succeeded"] > 0,
            "a chord's failing header": self.kinds["media.scan_upload", "task-failed"] > 0,
            "progress": self.kinds["reports.build_monthly", "task-progress"] > 0,
            "large arguments": self.longest_argument >= 1000,
            "unicode": "東京" in self.arguments,
            "markup": "<script>" in self.arguments,
        }
        return [promise for promise, kept in promises.items() if not kept]


@pytest.fixture
def broker_url(tmp_path: Path) -> Iterator[str]:
    with Broker(tmp_path / "broker") as url:
        yield url


@pytest.mark.slow
def test_the_demo_shows_all_that_celery_does(broker_url: str, tmp_path: Path) -> None:
    commands = [*(worker.command() for worker in workload.WORKERS), workload.producer_command()]
    environment = {**workers.environment(broker_url, broker_url), "RATE": str(RATE)}

    with ExitStack() as running:
        for number, command in enumerate(commands):
            running.enter_context(_running(command, environment, tmp_path / f"{number}.log"))
        seen = _watch(broker_url)

    assert seen.missing() == []


@pytest.mark.slow
def test_workers_and_producer_stop_promptly_and_leave_nobody_behind(broker_url: str, tmp_path: Path) -> None:
    environment = workers.environment(broker_url, broker_url)
    worker = _start(workload.WORKERS[0].command(), environment, tmp_path / "worker.log")
    producer = _start(workload.producer_command(), environment, tmp_path / "producer.log")
    client = celery_app.client(broker_url)
    eventually(lambda: bool(client.control.ping(timeout=0.5)))
    children = _children(worker.pid)

    producer.send_signal(workload.STOP_PRODUCER)
    worker.send_signal(workload.STOP_WORKER)

    assert producer.wait(timeout=5) == 0
    assert worker.wait(timeout=15) == 0
    eventually(lambda: all(gone(child) for child in children))


@pytest.mark.parametrize("rate", ["0", "-3"])
def test_a_rate_that_sends_nothing_is_refused(rate: str) -> None:
    environment = {**workers.environment("memory://"), "RATE": rate}

    answer = subprocess.run(workload.producer_command(), env=environment, capture_output=True, text=True, check=False)

    assert answer.returncode == 1
    assert "must be more than 0" in answer.stderr


def test_every_queue_has_a_worker_and_every_task_a_queue() -> None:
    routes = app.app.conf.task_routes

    assert {queue for worker in workload.WORKERS for queue in worker.queues} == QUEUES
    assert {route["queue"] for route in routes.values()} == QUEUES


def _watch(broker_url: str) -> Seen:
    """Take events until nothing is missing or time is up."""
    seen = Seen()
    deadline = time.monotonic() + LIMIT_SECONDS
    client = celery_app.client(broker_url)
    with client.connection() as connection:
        receiver = client.events.Receiver(connection, handlers={"*": seen.take})
        # Ends after each second in which something came, so that the promises are checked now and then.
        while seen.missing() and time.monotonic() < deadline:
            with suppress(TimeoutError):
                receiver.capture(limit=20, timeout=1)
    return seen


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Generator[None]:
    process = _start(command, environment, log)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _start(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def _children(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
