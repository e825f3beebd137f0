"""`flower api` as a process of its own, to be killed and started again."""

import http
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from sys import executable

from tests.services import workers

from flower_cli.embedded import process
from flower_cli.embedded.process import Process


class ApiProcess:
    """The command line's own API over one database, always on the same port."""

    def __init__(
        self, directory: Path, *, database_url: str, name: str = "api", settings: Mapping[str, str] | None = None
    ) -> None:
        """`settings` are further `FLOWER_*` variables."""
        self._log = directory / f"{name}.log"
        self._port = process.free_port()
        self._environment = workers.environment("") | {
            "FLOWER_DATABASE_URL": database_url,
            "FLOWER_PORT": str(self._port),
            **(settings or {}),
        }
        self._process: Process | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    def launch(self) -> None:
        command = [executable, "-m", "flower_cli.main", "api"]
        self._process = process.launch(command, self._log, environment=self._environment)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.launch()
        assert self._process is not None
        self._process.wait_until(self.ready, workers.START_LIMIT)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=5) as answer:
                return bool(answer.status == http.HTTPStatus.OK)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """End it at once. May be called twice."""
        if self._process is not None and self._process.running:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.kill()
