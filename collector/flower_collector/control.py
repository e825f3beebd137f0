"""The thread that talks to workers, for the leader: switches their events on and asks them about themselves.

It owns one broker connection and one `store.Writer`. Nobody waits for it: answers go into the store.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import structlog

from flower_collector import app, driver, replies
from flower_collector.arrivals import Arrivals
from flower_collector.backoff import Backoff
from flower_collector.periodic import Periodic
from flower_collector.settings import CollectorSettings
from flower_store import errors, writes

log = structlog.get_logger()

CONTROL_FAILED = "control failed"
CONTROL_WORKS = "control works"
REPLIES_NOT_STORED = "replies of workers not stored"

METHODS = {"stats": "stats", "active_queues": "active_queues", "registered": "registered", "conf": "conf"}
"""Inspect methods and the control commands behind them (`celery.app.control.Inspect`)."""

TICK = 1.0
"""Seconds between looks at what is due. A new worker listens to commands about a second after it says it is there."""

SILENCES_ALLOWED = 3
"""Inspections that a worker without heartbeats may miss before it counts as gone."""


class ControlThread(threading.Thread):
    """Works while `leads()`; several collectors would only ask everything twice."""

    def __init__(
        self,
        cluster: app.App,
        store: writes.Writer,
        *,
        settings: CollectorSettings,
        arrivals: Arrivals,
        leads: Callable[[], bool],
        backoff: Backoff,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="flower-control", daemon=True)
        self._app = cluster
        self._store = store
        self._settings = settings
        self._arrivals = arrivals
        self._leads = leads
        self._backoff = backoff
        self._enabling = Periodic(settings.enable_events_interval, clock=clock)
        self._inspecting = Periodic(settings.inspect_interval, clock=clock)
        self._stopping = threading.Event()

    def finish(self) -> None:
        """Ask for the end; an inspection under way may take its timeout. May be called twice."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `finish()`."""
        while not self._stopping.is_set():
            self._serve()
        self._store.close()

    def _serve(self) -> None:
        """Work with one connection until it breaks."""
        connection = self._app.connection_for_write(heartbeat=0)
        try:
            while not self._stopping.wait(TICK):
                if self._leads():
                    self._round(connection)
        except Exception as error:  # noqa: BLE001 - whatever a driver or a stranger's reply raises, the next round is another one
            if not self._backoff.failures:
                log.warning(CONTROL_FAILED, error=f"{type(error).__name__}: {error}")
            self._stopping.wait(self._backoff.failed())
        finally:
            with suppress(Exception):  # it may be broken already, in ways that only its driver knows
                connection.release()

    def _round(self, connection: driver.Connection) -> None:
        arrived = self._arrivals.take()
        if arrived:
            self._enabling.expire()
        if self._settings.enable_events and self._enabling.due():
            self._app.control.enable_events(connection=connection)
            self._worked()
        if self._inspecting.due():
            self._inspect(connection, None)
        elif arrived and self._settings.inspect_interval:
            self._inspect(connection, arrived)

    def _inspect(self, connection: driver.Connection, destination: Sequence[str] | None) -> None:
        """Ask all, or these; who answers is alive for a while, heartbeats or not."""
        answers: dict[str, dict[str, object]] = defaultdict(dict)
        for method, command in METHODS.items():
            for host, answer in self._ask(connection, command, destination).items():
                answers[host][method] = answer
        # Late answers of earlier questions: kombu keeps them for ever.
        self._app.control.mailbox.unclaimed.clear()
        self._worked()
        if answers:
            self._keep(answers)

    def _ask(self, connection: driver.Connection, command: str, destination: Sequence[str] | None) -> dict[str, object]:
        if self._stopping.is_set():
            return {}
        # A channel for each question: on Redis, kombu's read for the one before would swallow the first answer.
        with connection.channel() as channel:
            answers = self._app.control.broadcast(
                command,
                destination=destination,
                connection=connection,
                channel=channel,
                reply=True,
                timeout=self._settings.inspect_timeout.total_seconds(),
            )
        return replies.by_host(answers)

    def _keep(self, answers: dict[str, dict[str, object]]) -> None:
        silence = max(self._settings.inspect_interval * SILENCES_ALLOWED, timedelta(seconds=10))
        try:
            self._store.write_replies(answers, silence=silence)
        except errors.StoreError as error:
            log.warning(REPLIES_NOT_STORED, workers=len(answers), error=type(error).__name__)

    def _worked(self) -> None:
        if self._backoff.failures:
            log.info(CONTROL_WORKS)
        self._backoff.succeeded()
