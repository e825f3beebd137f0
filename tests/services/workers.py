"""Real Celery workers for tests: `start_worker(broker_url, ...)` gives a running one; all end with the test.

Each is a process of its own with prefork children, its log in the test's directory. The app is
tests/services/celery_app.py unless another is named; it takes Celery's `settings`.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest
from tests.services import celery_app

from flower_cli.embedded import process

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "cli", "collector", "migrations", "store", "web", "worker")
START_LIMIT = timedelta(seconds=180)
# Long enough for an answer on a loaded machine; each question waits that long until the worker is there.
PING_SECONDS = 0.5
_numbers = count(1)


class Worker:
    """A worker that runs."""

    def __init__(self, running: process.Process, *, hostname: str, log: Path) -> None:
        self._process = running
        self.hostname = hostname
        self.log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.running

    def stop(self) -> None:
        """Let it finish its tasks (Celery's warm shutdown)."""
        self._process.stop(patience=timedelta(seconds=60))

    def kill(self) -> None:
        """End it and its children at once, as `kill -9` does."""
        self._process.kill()


class StartWorker(Protocol):
    def __call__(
        self,
        broker_url: str,
        *,
        result_backend: str | None = None,
        queues: Sequence[str] = ("celery",),
        concurrency: int = 2,
        hostname: str | None = None,
        app: str = "tests.services.celery_app",
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        settings: Mapping[str, object] | None = None,
        prefix: Sequence[str] = (),
    ) -> Worker: ...


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    running: list[Worker] = []

    def start(
        broker_url: str,
        *,
        result_backend: str | None = None,
        queues: Sequence[str] = ("celery",),
        concurrency: int = 2,
        hostname: str | None = None,
        app: str = "tests.services.celery_app",
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        settings: Mapping[str, object] | None = None,
        prefix: Sequence[str] = (),
    ) -> Worker:
        name = hostname or f"worker{next(_numbers)}@localhost"
        log = tmp_path / f"{name}.log"
        command = [
            *prefix,
            *(sys.executable, "-m", "celery", "-A", app, "worker", "--hostname", name),
            *("--queues", ",".join(queues), "--concurrency", str(concurrency), "--loglevel", "INFO", *options),
        ]
        told = {"TESTS_CELERY_SETTINGS": json.dumps(settings)} if settings else {}
        surroundings = {**environment(broker_url, result_backend), **told, **(variables or {})}
        launched = process.launch(command, log, environment=surroundings, stop_signal=signal.SIGTERM)
        worker = Worker(launched, hostname=name, log=log)
        running.append(worker)
        launched.wait_until(_answering(broker_url, name, settings or {}), START_LIMIT)
        return worker

    yield start
    for worker in running:
        worker.kill()


def environment(broker_url: str, result_backend: str | None = None) -> dict[str, str]:
    """What a process of our own needs to find the code of this checkout, its broker and its result backend."""
    backend = {} if result_backend is None else {"CELERY_RESULT_BACKEND": result_backend}
    path = os.pathsep.join([str(ROOT), *(str(ROOT / room) for room in ROOMS)])
    return {**os.environ, "PYTHONPATH": path, "CELERY_BROKER_URL": broker_url, **backend}


def _answering(broker_url: str, hostname: str, settings: Mapping[str, object]) -> Callable[[], bool]:
    asking = celery_app.client(broker_url, settings=settings)
    return lambda: bool(asking.control.ping(destination=[hostname], timeout=PING_SECONDS, limit=1))
