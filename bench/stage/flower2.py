"""Flower 2 from PyPI, in an environment of its own under `.cache`, as its users start it."""

import fcntl
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from bench.load import lines
from bench.load.sender import ROOT
from bench.load.traffic import Traffic
from flower_cli.embedded import process
from flower_cli.embedded.process import Process

VERSION = "2.2.0"
HOME = ROOT / ".cache" / "flower2"
DEFAULT_TASKS = 100_000
START_LIMIT = timedelta(seconds=60)
SETTLED = 3.0
"""Seconds in which its count must not change. Its queue drops what waits for five, so nothing comes after that."""


def program() -> Path:
    """Its `celery`; installed at the first need, by one process while the others wait."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = HOME / "version"
        if not mark.exists() or mark.read_text() != VERSION:
            print(f"installing Flower {VERSION} for comparison ...", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", HOME / "venv"], check=True)
            python = str(HOME / "venv" / "bin" / "python")
            subprocess.run([python, "-m", "pip", "install", "-q", f"flower=={VERSION}", "celery[redis]"], check=True)
            mark.write_text(VERSION)
    return HOME / "venv" / "bin" / "celery"


class Flower2:
    """One that runs."""

    def __init__(self, running: Process, port: int) -> None:
        self._process = running
        self._port = port

    @property
    def port(self) -> int:
        return self._port

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def events(self) -> int:
        """Task events that it has taken into its state, by its own metric."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=300) as answer:
            lines = answer.read().decode().splitlines()
        return round(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("flower_events_total{")))

    def settled(self) -> int:
        """The same, once nothing changes it any more."""
        before, since = self.events(), time.monotonic()
        while time.monotonic() - since < SETTLED:
            time.sleep(0.5)
            found = self.events()
            if found != before:
                before, since = found, time.monotonic()
        return before

    def answers(self) -> bool:
        try:
            self.events()
        except (urllib.error.URLError, OSError):
            return False
        return True


def _hears(flower: Flower2, line: lines.Line) -> bool:
    """Its pages are there before it listens to events: send some until one arrives."""
    for hello in Traffic(tasks=1, start=time.time(), prefix="hello").messages():
        line.send(line.encoded(hello), 1)
    line.settle()
    time.sleep(0.2)
    return flower.events() > 0


@contextmanager
def running(
    broker_url: str, *, max_tasks: int = DEFAULT_TASKS, variables: Mapping[str, str] | None = None
) -> Generator[Flower2]:
    """A Flower that listens; it takes no event from before. `variables` are more of its environment."""
    port = process.free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWER_", "CELERY_", "PYTHON"))}
    words: list[str | Path] = [program(), f"--broker={broker_url}", "flower", "--address=127.0.0.1", f"--port={port}",
             f"--max_tasks={max_tasks}"]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="flower-bench-") as directory:
        environment = {**kept, "HOME": directory, **(variables or {})}
        launched = process.launch(words, Path(directory) / "flower2.log", environment=environment)
        flower = Flower2(launched, port)
        try:
            launched.wait_until(flower.answers, START_LIMIT)
            with lines.line(broker_url) as line:
                launched.wait_until(lambda: _hears(flower, line), START_LIMIT)
            yield flower
        finally:
            launched.kill()
