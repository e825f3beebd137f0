"""The thread that asks workers about themselves, for the leader.

It owns one broker connection and one `store.Writer`. Answers go into the store.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from flower_collector import app, driver, replies
from flower_collector.arrivals import Arrivals
from flower_collector.backoff import Backoff
from flower_collector.conversation import Conversation
from flower_collector.periodic import Periodic
from flower_collector.settings import CollectorSettings
from flower_store import errors, writes

log = structlog.get_logger()

REPLIES_NOT_STORED = "replies of workers not stored"

METHODS = {"stats": "stats", "active_queues": "active_queues", "registered": "registered", "conf": "conf"}
"""Inspect methods and the control commands behind them (`celery.app.control.Inspect`)."""

EVERY = timedelta(seconds=1)
"""Between looks at what is due. A new worker listens to commands about a second after it says it is there."""

SILENCES_ALLOWED = 3
"""Inspections that a worker without heartbeats may miss before it counts as gone."""


class ControlThread(Conversation):
    """Asks everybody every so often, and new workers when they arrive."""

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
        super().__init__(cluster, name="flower-control", every=EVERY, leads=leads, backoff=backoff)
        self._store = store
        self._settings = settings
        self._arrivals = arrivals
        self._inspecting = Periodic(settings.inspect_interval, clock=clock)

    def run(self) -> None:
        """Work until `finish()`; an inspection under way may take its timeout."""
        super().run()
        self._store.close()

    def _round(self, connection: driver.Connection) -> None:
        arrived = self._arrivals.take()
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
