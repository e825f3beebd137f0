"""Our own processes, as `flower collector` and `flower api` start them, and what they have committed."""

import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import psycopg

from flower_cli.embedded import process
from flower_cli.embedded.process import Process
from flower_store import notices

ROOT = Path(__file__).parents[2]
START_LIMIT = timedelta(seconds=60)
CLUSTER = "bench"
SILENCE = 1.0
"""Seconds that one wait for a commit may last."""

PATIENCE = 30.0
"""Seconds without a commit after which what is missing is lost."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process of ours that is ready. `ready_at` is when it was last seen not to be, in seconds of the epoch."""

    process: Process
    port: int
    ready_at: float

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def collector(broker_url: str, database_url: str, **settings: str) -> Generator[Running]:
    """A collector with the default settings but those named (`batch_size="4000"`)."""
    port = process.free_port()
    variables = {f"FLOWER_{name.upper()}": value for name, value in settings.items()}
    variables |= {"FLOWER_BROKER": broker_url, "FLOWER_CLUSTER": CLUSTER, "FLOWER_COLLECTOR_PORT": str(port)}
    with _started("collector", variables, port, database_url) as running:
        yield running


@contextmanager
def api(database_url: str) -> Generator[Running]:
    """An API process."""
    port = process.free_port()
    with _started("api", {"FLOWER_PORT": str(port)}, port, database_url) as running:
        yield running


@contextmanager
def _started(command: str, variables: dict[str, str], port: int, database_url: str) -> Generator[Running]:
    # Nothing of the caller's surroundings changes what is measured.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWER_", "CELERY_"))}
    environment = {**kept, **variables, "FLOWER_DATABASE_URL": database_url, "FLOWER_LOG_LEVEL": "warning"}
    with tempfile.TemporaryDirectory(prefix="flower-bench-") as directory:
        words = [sys.executable, "-m", "flower_cli.main", command]
        running = process.launch(words, Path(directory) / f"{command}.log", environment=environment)
        looked_at = time.time()

        def ready() -> bool:
            nonlocal looked_at
            before = time.time()
            if _answers(port):
                return True
            looked_at = before
            return False

        try:
            running.wait_until(ready, START_LIMIT)
            yield Running(running, port, looked_at)
        finally:
            running.stop()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@dataclass(frozen=True, slots=True)
class Committed:
    """Task events in the log, and when the last of them was committed, in seconds of the epoch."""

    events: int
    at: float


class Commits:
    """Hears of each commit by PostgreSQL's own notices, which cost the collector nothing that it does not do anyway."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg.connect(database_url, autocommit=True)
        self._connection.execute(f"LISTEN {notices.CHANNEL}".encode())

    def wait(self, events: int) -> Committed:
        """Wait until so many task events are committed, or nothing comes any more."""
        most, at, until = 0, time.time(), time.time() + PATIENCE
        while most < events and time.time() < until:
            if not list(self._connection.notifies(timeout=SILENCE, stop_after=1)):
                continue
            heard = time.time()
            # The log itself would take long to count; what the same transactions have added up does not.
            if (found := self._one("SELECT coalesce(sum(count), 0) FROM rollup_1h")) > most:
                most, at, until = found, heard, heard + PATIENCE
        return Committed(self.count(), at)

    def count(self) -> int:
        return self._one("SELECT count(*) FROM task_event")

    def _one(self, query: LiteralString) -> int:
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        self._connection.close()
