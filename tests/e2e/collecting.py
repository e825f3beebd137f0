"""`flower collector` as a process of its own, to be killed and started again."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from sys import executable

from tests.services import workers

from flower_cli.embedded import process
from flower_cli.embedded.process import Process


class CollectorProcess:
    """The command line's own collector of one broker into one database."""

    def __init__(
        self,
        directory: Path,
        *,
        broker_url: str,
        database_url: str,
        name: str = "collector",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`settings` are further `FLOWER_*` variables."""
        self._log = directory / f"{name}.log"
        self._port = process.free_port()
        self._environment = workers.environment("") | {
            "FLOWER_BROKER": broker_url,
            "FLOWER_DATABASE_URL": database_url,
            "FLOWER_COLLECTOR_PORT": str(self._port),
            # Its probes would lie in the queue like events.
            "FLOWER_PROBE_INTERVAL": "0",
            "FLOWER_SPOOL_DIR": str(directory / f"{name}-spool"),
            **(settings or {}),
        }
        del self._environment["CELERY_BROKER_URL"]
        self._process: Process | None = None

    def start(self) -> None:
        """Start it and wait until events flow."""
        self.launch().wait_until(self.ready, workers.START_LIMIT)

    def launch(self) -> Process:
        """Start it, whatever of broker and database is there."""
        command = [executable, "-m", "flower_cli.main", "collector"]
        self._process = process.launch(command, self._log, environment=self._environment)
        return self._process

    def ready(self) -> bool:
        try:
            return self._ask("readyz")[0] == HTTPStatus.OK
        except OSError:
            return False

    def page(self, name: str) -> str:
        """What its port shows, whatever the status: `readyz`, `healthz`, `metrics`; OSError while nobody listens."""
        return self._ask(name)[1]

    def kill(self) -> None:
        """End it at once, as `kill -9` does. May be called twice."""
        if self._process is not None:
            self._process.kill()

    def pause(self) -> None:
        """Let it stand still, as a machine does that swaps or is moved; its connections stay."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def _ask(self, name: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{name}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.running:
            os.kill(self._process.pid, number)

    def stop(self) -> None:
        """Let it write what it has."""
        if self._process is not None:
            self._process.stop()
