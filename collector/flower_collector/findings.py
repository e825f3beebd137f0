"""What is wrong with the way of events, as the leader finds it: told once in the log, and by each beat meanwhile."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from flower_collector.metrics import Metrics
from flower_store import findings
from flower_store.findings import FindingRecord

log = structlog.get_logger()

FOUND = "finding"
OVER = "finding over"


class Findings:
    """At most one of each kind (`flower_store.findings`). Of any thread."""

    def __init__(self, metrics: Metrics, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._metrics = metrics
        self._now = now
        self._lock = threading.Lock()
        self._told: dict[str, FindingRecord] = {}
        for kind in findings.KINDS:
            metrics.findings.labels(kind).set(0)

    def tell(self, kind: str, sentence: str) -> None:
        """This is so. Where one of the kind holds already, only its sentence is replaced."""
        with self._lock:
            known = self._told.get(kind)
            self._told[kind] = FindingRecord(kind, sentence, known.since if known else self._now())
        if known is None:
            self._metrics.findings.labels(kind).set(1)
            log.warning(FOUND, kind=kind, sentence=sentence)

    def clear(self, kind: str) -> None:
        """It is no longer so."""
        with self._lock:
            known = self._told.pop(kind, None)
        if known is not None:
            self._metrics.findings.labels(kind).set(0)
            log.info(OVER, kind=kind)

    def forget(self) -> None:
        """Another collector leads, and finds for itself."""
        for kind in findings.KINDS:
            self.clear(kind)

    def told(self) -> tuple[FindingRecord, ...]:
        """What holds, in the order in which it was found."""
        with self._lock:
            return tuple(sorted(self._told.values(), key=lambda one: one.since))
