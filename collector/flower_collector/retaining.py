"""The leader's retention: what is too old goes, a little at a time."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import structlog

from flower_collector.metrics import Metrics
from flower_store import retention, writes
from flower_store.lifetimes import RetentionSettings

log = structlog.get_logger()

RETAINED = "retention done"
NOT_DROPPED = "partition in use, not dropped yet"

SWEEP_EVERY = timedelta(minutes=10)
"""Between sweeps. An hour's tasks at 1,000 a second would be a lump of 3.6 million rows."""

TURN = timedelta(seconds=2)
"""The longest that one turn keeps the other chores waiting."""

SHARE = 1.0
"""Rest after a step for so many times as long as it took: deletion takes at most half of one connection's time."""


class Retaining:
    """A chore: begins a sweep every so often, and goes on with it at each turn until it is through."""

    name = "retention"
    every = timedelta(seconds=5)

    def __init__(
        self,
        settings: RetentionSettings,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._now = now
        self._wait = wait
        self._steps: Iterator[retention.Gone] | None = None
        self._sweep_at = clock()
        self._deleted: Counter[str] = Counter()

    def work(self, store: writes.Writer, stopping: threading.Event) -> None:
        """Take one turn."""
        if self._steps is None:
            if self._clock() < self._sweep_at:
                return
            self._sweep_at = self._clock() + SWEEP_EVERY.total_seconds()
            self._steps = retention.steps(store, self._settings, self._now(), stopping)
        try:
            self._turn(self._steps, stopping)
        except BaseException:
            self._steps = None  # begun anew at the next sweep
            raise

    def _turn(self, steps: Iterator[retention.Gone], stopping: threading.Event) -> None:
        until = self._clock() + TURN.total_seconds()
        while self._clock() < until and not stopping.is_set():
            began = self._clock()
            gone = next(steps, None)
            if gone is None:
                self._end()
                return
            self._note(gone)
            self._wait(stopping, SHARE * (self._clock() - began))

    def _note(self, gone: retention.Gone) -> None:
        if not gone.done:
            log.info(NOT_DROPPED, partition=gone.subject)
            return
        self._deleted[gone.kind] += gone.rows or 0
        self._metrics.deleted.labels(gone.kind).inc(gone.rows or 0)

    def _end(self) -> None:
        self._steps = None
        if self._deleted:
            log.info(RETAINED, **self._deleted)
            self._deleted.clear()
