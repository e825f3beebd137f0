"""Batches into the store: kept while the database is away, halved around an event that it refuses.

Owns one `store.Writer` and runs in one thread. A batch may be written twice after a broken connection; the store
knows each event, so nothing is counted twice.
"""

import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from flower_collector import gate
from flower_collector.availability import Availability
from flower_collector.backoff import Backoff
from flower_collector.batcher import Batch
from flower_collector.metrics import Metrics
from flower_store import errors, writes
from flower_store.events import Event, SetAside, TaskEvent, WorkerEvent
from flower_store.fold import Folded
from flower_store.reasons import Reason

log = structlog.get_logger()

DATABASE_AWAY = "database away"
DATABASE_AVAILABLE = "database available"
NO_PARTITIONS = "partitions not made"
WRITER_DEFECT = "writer defect"
EVENT_REFUSED = "event refused by the database"
RECORDS_REFUSED = "records of set-aside input refused by the database"

LOOK = 0.1
"""Seconds between looks, while the database is away, whether anything still has to be written to it."""


@dataclass(slots=True)
class Totals:
    """What was done since the start. `aside` is written by the thread that opens messages, the others by those that
    write them; `refused` is what the database would not have."""

    stored: int = 0
    aside: int = 0
    refused: int = 0
    lag: timedelta | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, stored: int = 0, refused: int = 0, lag: timedelta | None = None) -> None:
        """What one batch did."""
        with self._lock:
            self.stored += stored
            self.refused += refused
            self.lag = self.lag if lag is None else lag


class BatchWriter:
    """Writes batches until they are committed, given back, or time is up."""

    def __init__(
        self,
        store: writes.Writer,
        *,
        totals: Totals,
        database: Availability,
        metrics: Metrics,
        backoff: Backoff,
        give_up: threading.Event,
        overflowing: Callable[[Iterable[str]], None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`give_up` is set when a stop has waited long enough; `overflowing` is told of which kinds names are past
        their bound."""
        self._store = store
        self._database = database
        self._metrics = metrics
        self._backoff = backoff
        self._give_up = give_up
        self._overflowing = overflowing
        self._now = now
        self._most: int | None = None
        self._told: str | None = None
        self.totals = totals

    def prepare(self, needed: Callable[[], bool]) -> bool:
        """Make the log's partitions, without which a first event of the day would land in the default one.

        False when that is no longer needed or time is up.
        """
        try:
            return self._until_done(lambda: self._store.ensure_partitions(self._now()), needed)
        except errors.Rejected as error:
            log.warning(NO_PARTITIONS, error=str(error))
            return True

    def write(self, batch: Batch) -> bool:
        """Commit the batch; False when it was given back or given up."""
        if not self._until_done(lambda: self._write(batch), lambda: batch.waits):
            self._metrics.batches.labels("given_back").inc()
            return False
        return True

    def probe(self, needed: Callable[[], bool]) -> bool:
        """Wait until the database answers again; False when that is no longer needed or time is up."""
        return self._until_done(self._store.connect, needed)

    def close(self) -> None:
        """Close the connection."""
        self._store.close()

    def _until_done(self, attempt: Callable[[], object], waits: Callable[[], bool]) -> bool:
        while waits():
            try:
                attempt()
            except errors.Unavailable as error:
                self._failed(error)
                if not self._wait(self._backoff.failed(), waits):
                    return False
            else:
                self._answered()
                return True
        return False

    def _wait(self, seconds: float, waits: Callable[[], bool]) -> bool:
        """Whether to try again after that; False as soon as nobody waits for it or time is up."""
        for _ in range(math.ceil(seconds / LOOK)):
            if not waits() or self._give_up.wait(LOOK):
                return False
        return not self._give_up.is_set()

    def _failed(self, error: errors.Unavailable) -> None:
        self._metrics.write_failures.inc()
        text = str(error)
        if self._database.failed() or text != self._told:
            log.warning(DATABASE_AWAY, error=text)
        # An outage changes its face: a line that broke, then a server that is full, or read-only.
        self._told = text

    def _answered(self) -> None:
        self._backoff.succeeded()
        if self._database.answered():
            log.info(DATABASE_AVAILABLE)

    def _write(self, batch: Batch) -> None:
        with self._metrics.batch_seconds.time():
            try:
                stored = self._store_in_parts(batch)
                outcome = "written"
            except errors.Rejected:
                stored = self._write_around(batch)
                outcome = "bisected"
        self._count(batch, stored, outcome)

    def _store_in_parts(self, batch: Batch) -> int:
        """In one transaction, or in as many as a slow database needs to end each within its time-out."""
        tasks, most = batch.tasks, self._most or len(batch.tasks)
        if most >= len(tasks):
            return self._store_whole(batch)
        try:
            stored = sum(self._store_all(tasks[at : at + most], ()) for at in range(0, len(tasks) - most, most))
            begun = (len(tasks) - 1) // most * most
            stored += self._store_all(tasks[begun:], batch.workers, batch.aside)
        except errors.StatementTimeout:
            self._most = max(1, most // 2)
            raise
        self._most = most * 2
        return stored

    def _store_whole(self, batch: Batch) -> int:
        try:
            stored = self._store_all(batch.tasks, batch.workers, batch.aside, folded=batch.folded)
        except errors.StatementTimeout:
            self._most = max(1, len(batch.tasks) // 2) if batch.tasks else None
            raise
        self._most = None
        return stored

    def _write_around(self, batch: Batch) -> int:
        """Store all but what the database refuses; that is set aside."""
        refused: list[SetAside] = []
        stored = self._bisect([*batch.tasks, *batch.workers], refused)
        self._metrics.aside.labels(Reason.REFUSED_BY_DATABASE).inc(len(refused))
        self.totals.add(refused=len(refused))
        self._keep_aside([*batch.aside, *refused])
        return stored

    def _store_all(
        self,
        tasks: Sequence[TaskEvent],
        workers: Sequence[WorkerEvent],
        aside: Sequence[SetAside] = (),
        folded: Mapping[str, Folded] | None = None,
    ) -> int:
        try:
            written = self._store.write(tasks, workers, aside, folded=folded)
        except errors.StoreError:
            raise
        except Exception as error:  # a value that the gate should have stopped: its neighbours must not wait for it
            log.exception(WRITER_DEFECT)
            raise errors.Rejected(f"{type(error).__name__}: {error}") from error
        for kind, number in written.overflowed.items():
            self._metrics.overflowed.labels(kind).inc(number)
        self._overflowing(written.overflowed)
        self._metrics.too_old.inc(written.too_old)
        return written.stored

    def _bisect(self, events: Sequence[Event], refused: list[SetAside]) -> int:
        if not events:
            return 0
        tasks = [event for event in events if isinstance(event, TaskEvent)]
        workers = [event for event in events if isinstance(event, WorkerEvent)]
        try:
            return self._store_all(tasks, workers)
        except errors.Rejected as error:
            if len(events) == 1:
                log.warning(EVENT_REFUSED, event_type=events[0].type, error=str(error))
                refused.append(self._refused(events[0], error))
                return 0
        middle = len(events) // 2
        return self._bisect(events[:middle], refused) + self._bisect(events[middle:], refused)

    def _refused(self, event: Event, error: errors.Rejected) -> SetAside:
        return SetAside(
            received_at=event.received_at,
            reason=Reason.REFUSED_BY_DATABASE,
            detail=str(error),
            routing_key=event.type.replace("-", "."),
            content_type=gate.CONTENT_TYPE,
            body=_kept(event),
        )

    def _keep_aside(self, aside: Sequence[SetAside]) -> None:
        if not aside:
            return
        try:
            self._store_all((), (), aside)
        except errors.Rejected as error:
            # They are counted by reason already; a record that cannot be kept must not stop the events behind it.
            log.warning(RECORDS_REFUSED, records=len(aside), error=str(error))

    def _count(self, batch: Batch, stored: int, outcome: str) -> None:
        events = len(batch.tasks) + len(batch.workers)
        self._metrics.batches.labels(outcome).inc()
        self._metrics.batch_events.observe(events)
        self._metrics.stored.inc(stored)
        lag = self._now() - max(event.at for event in batch.tasks) if batch.tasks else None
        self.totals.add(stored=stored, lag=lag)
        if lag is not None:
            self._metrics.lag.set(lag.total_seconds())


def _kept(event: Event) -> bytes:
    """The event for a person to look at; what breaks the database may break an encoder too."""
    try:
        return msgspec.json.encode(event)
    except (ValueError, TypeError, OverflowError):
        return ascii(event).encode()
