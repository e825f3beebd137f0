"""The thread that looks up unfinished tasks in the result backend, for the leader.

It owns one `store.Writer` and the backend's connections. Nobody waits for it: a backend that hangs or breaks keeps
reconciliation alone from its work.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from flower_collector import app, results, secrets
from flower_collector.metrics import Metrics
from flower_collector.redaction import Redaction
from flower_collector.results import Results
from flower_collector.settings import CollectorSettings
from flower_store import errors, reconciling, writes
from flower_store.reconciling import Outcome

log = structlog.get_logger()

NOT_RECONCILING = "tasks are not reconciled"
BACKEND_FAILED = "result backend failed"
BACKEND_WORKS = "result backend works"
RECONCILED = "tasks reconciled"

EVERY = 1.0
"""Seconds between lookups; the rate is so many of them."""

LONGEST_WAIT = 60.0
"""Seconds between attempts while the backend fails."""


class Reconciler(threading.Thread):
    """Works while `leads()`, a bounded number of tasks a second."""

    def __init__(
        self,
        cluster: app.App,
        store: writes.Writer,
        *,
        settings: CollectorSettings,
        leads: Callable[[], bool],
        redaction: Redaction | None,
        metrics: Metrics,
    ) -> None:
        super().__init__(name="flower-reconciler", daemon=True)
        self._app = cluster
        self._store = store
        self._settings = settings
        self._leads = leads
        self._redaction = redaction
        self._metrics = metrics
        self._stopping = threading.Event()
        self._results: Results | None = None
        self._failures = 0
        self._unsupported = False

    def finish(self) -> None:
        """Ask for the end. May be called twice."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `finish()`; a backend that cannot be asked is told once, and then there is nothing to do."""
        while not self._stopping.wait(min(LONGEST_WAIT, EVERY * 2**self._failures)):
            if self._leads() and not self._unsupported:
                self._once()
        self._store.close()

    def _once(self) -> None:
        try:
            self.work_once()
        except results.Unsupported as error:
            self._unsupported = True
            log.info(NOT_RECONCILING, reason=str(error))
        except errors.Unavailable:
            return  # the writing threads tell of it
        except Exception as error:  # noqa: BLE001 - a backend's driver raises what it likes
            self._failed(error)
        else:
            self._worked()

    def work_once(self) -> None:
        """Look up what is due, once. Raises Unsupported, the store's errors, and what the backend's driver raises."""
        if self._results is None:
            self._results = results.opened(self._app, self._settings.result_backend)
        due = reconciling.candidates(
            self._store, after=self._settings.reconcile_after, most=self._settings.reconcile_rate
        )
        if not due:
            return
        found = self._results([one.task_id for one in due])
        outcomes = [(one.key, self._shown(found[one.task_id])) for one in due if one.task_id in found]
        closed = reconciling.keep(self._store, due, outcomes)
        self._metrics.reconciled.inc(closed)
        if closed:
            log.info(RECONCILED, tasks=closed)

    def _shown(self, outcome: Outcome) -> Outcome:
        """Without what a rule hides: a result is no less secret in a backend than in an event."""
        if self._redaction is None:
            return outcome
        name = "result" if outcome.state == "SUCCESS" else "exception"
        fields: Mapping[str, object] = {name: outcome.result, "traceback": outcome.traceback}
        hidden = self._redaction.fields(fields)
        return replace(outcome, result=_text(hidden.get(name)), traceback=_text(hidden.get("traceback")))

    def _failed(self, error: Exception) -> None:
        if not self._failures:
            text = secrets.masked(" ".join(str(error).split()))
            whose = "result_backend" if self._settings.result_backend else "the application's"
            log.warning(BACKEND_FAILED, setting=whose, error=f"{type(error).__name__}: {text}")
        self._failures = min(self._failures + 1, 16)
        self._results = None

    def _worked(self) -> None:
        if self._failures:
            log.info(BACKEND_WORKS)
        self._failures = 0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
