"""A thread that talks to workers over a broker connection of its own, and connects again for as long as it takes."""

import abc
import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from flower_collector import app, connections, driver
from flower_collector.backoff import Backoff

log = structlog.get_logger()

CONTROL_FAILED = "control failed"
CONTROL_WORKS = "control works"


class Conversation(threading.Thread, abc.ABC):
    """Works while `leads()`; several collectors would only say everything twice. Nobody waits for it."""

    def __init__(
        self, cluster: app.App, *, name: str, every: timedelta, leads: Callable[[], bool], backoff: Backoff
    ) -> None:
        """`every` is the time between looks at what is due."""
        super().__init__(name=name, daemon=True)
        self._app = cluster
        self._every = every.total_seconds()
        self._leads = leads
        self._backoff = backoff
        self._stopping = threading.Event()

    @abc.abstractmethod
    def _round(self, connection: driver.Connection) -> None:
        """Do what is due."""

    def finish(self) -> None:
        """Ask for the end; a question under way may take its timeout. May be called twice."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `finish()`."""
        while not self._stopping.is_set():
            self._serve()

    def _serve(self) -> None:
        """Work with one connection until it breaks."""
        connection = self._app.connection_for_write(heartbeat=0)
        try:
            while not self._stopping.wait(self._every):
                if self._leads():
                    self._round(connection)
        except Exception as error:  # noqa: BLE001 - whatever a driver or a stranger's reply raises, the next round is another one
            if not self._backoff.failures:
                log.warning(CONTROL_FAILED, thread=self.name, error=f"{type(error).__name__}: {error}")
            self._stopping.wait(self._backoff.failed())
        finally:
            connections.close(connection)

    def _worked(self) -> None:
        if self._backoff.failures:
            log.info(CONTROL_WORKS, thread=self.name)
        self._backoff.succeeded()
