"""The leader's audit: whether all that worker processes say they started was seen."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from flower_collector.metrics import Metrics
from flower_collector.periodic import Periodic
from flower_store import completeness, writes

log = structlog.get_logger()

STARTS_MISSING = "task starts missing"


class Auditing:
    """A chore: each round weighs the heartbeats of the last seconds."""

    name = "completeness audit"
    every = timedelta(seconds=5)

    def __init__(self, metrics: Metrics, *, grace: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._grace = grace
        self._pruning = Periodic(timedelta(hours=1), clock=clock)

    def work(self, store: writes.Writer, stopping: threading.Event) -> None:
        """Audit what is due, all of it: after an outage that may be more than one round."""
        while not stopping.is_set() and self._round(store) >= completeness.MOST_BEATS:
            pass
        if self._pruning.due():
            completeness.prune(store)

    def _round(self, store: writes.Writer) -> int:
        audited = completeness.audit(store, grace=self._grace)
        self._metrics.processes_forgotten.inc(audited.forgotten)
        if audited.missing:
            self._metrics.starts_missing.inc(audited.missing)
            log.warning(STARTS_MISSING, starts=audited.missing)
        return audited.beats
