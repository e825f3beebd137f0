"""Flower 2.2.0 for tests, as its users run it, in an environment of its own: `start_flower2(broker_url, ...)`.

Installed once, from the index, into `.cache`; where that cannot be, its tests are skipped, or fail where CI=true.
"""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from bench.stage import flower2
from tests.services import programs, workers

from flower_cli.embedded import process

START_LIMIT = timedelta(seconds=90)
StartFlower2 = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def flower2_program() -> Path:
    """Its `celery`."""
    try:
        return flower2.program()
    except (OSError, subprocess.CalledProcessError):
        programs.missing(f"Flower {flower2.VERSION}")


@pytest.fixture
def start_flower2(flower2_program: Path) -> Iterator[StartFlower2]:
    """Start one with the application of the tests and return a client of it, once it knows the worker."""
    running: list[process.Process] = []
    with tempfile.TemporaryDirectory(prefix="flower2-") as home, ExitStack() as clients:

        def start(broker_url: str, *, result_backend: str | None, worker: str) -> httpx.Client:
            port = process.free_port()
            words = [str(flower2_program), "-A", "tests.services.celery_app", "flower", "--address=127.0.0.1"]
            surroundings = _clean(workers.environment(broker_url, result_backend)) | {
                "PYTHONPATH": str(workers.ROOT),
                "HOME": home,
                "FLOWER_UNAUTHENTICATED_API": "true",
            }
            launched = process.launch([*words, f"--port={port}"], Path(home) / "log", environment=surroundings)
            running.append(launched)
            client = clients.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))
            launched.wait_until(lambda: _knows(client, worker), START_LIMIT)
            return client

        yield start
        for one in running:
            one.kill()


def _clean(environment: dict[str, str]) -> dict[str, str]:
    kept = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
    foreign = ("FLOWER_", "CELERY_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in environment.items() if name in kept or not name.startswith(foreign)}


def _knows(client: httpx.Client, worker: str) -> bool:
    with suppress(httpx.TransportError):
        return worker in client.get("/api/workers", params={"refresh": "1"}).json()
    return False
