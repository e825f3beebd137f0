"""The thread that asks the broker how full its queues are, for the leader, and stores what it says.

It owns one broker connection and one `store.Writer`. Each answer of either is waited for a bounded time, and nobody
waits for this thread.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta

import structlog

from flower_collector import app, connections, driver, secrets
from flower_collector.commands import line
from flower_collector.metrics import Metrics
from flower_collector.periodic import Periodic
from flower_collector.queues.way import Unsupported, Way
from flower_store import errors, queue_samples, writes
from flower_store.queue_samples import QueueSample

log = structlog.get_logger()

FAILED = "queues cannot be asked for"
WORKS = "queues can be asked for"
UNSUPPORTED = "queues are not sampled"

LOOK = timedelta(seconds=0.5)
"""Between looks whether it is time."""

WHOLE_EVERY = timedelta(seconds=60)
"""Within this each queue is stored at least once, so that each minute has a value; in between, those that changed."""


class QueueSampler(threading.Thread):
    """Samples while `leads()`. `named` gives the queues that the application names."""

    def __init__(
        self,
        cluster: app.App,
        store: writes.Writer,
        *,
        kind: str,
        way: Way,
        named: Callable[[], Iterable[str]],
        every: timedelta,
        leads: Callable[[], bool],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="flower-queues", daemon=True)
        self._app = cluster
        self._store = store
        self._kind = kind
        self._way = way
        self._named = named
        self._leads = leads
        self._metrics = metrics
        self._stopping = threading.Event()
        self._sampling = Periodic(every, clock=clock)
        self._whole = Periodic(max(WHOLE_EVERY - every, LOOK), clock=clock)
        self._connection: driver.Connection | None = None
        self._stored: dict[str, QueueSample] = {}
        self._failing = False

    def finish(self) -> None:
        """Ask for the end; a question under way may take its timeout. May be called twice."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `finish()`; a broker that cannot tell is told of once, and then there is nothing to do."""
        supported = True
        while not self._stopping.wait(LOOK.total_seconds()):
            if supported and self._leads() and self._sampling.due():
                supported = self._once()
        self._hang_up()
        self._store.close()

    def work_once(self) -> None:
        """Ask, and store. Raises Unsupported, the store's errors, and what the broker's driver raises."""
        self._keep(self._ask(frozenset(queue_samples.worth_asking(self._store)) | frozenset(self._named())))

    def _once(self) -> bool:
        """False where it never will be any use."""
        try:
            self.work_once()
        except Unsupported as error:
            log.info(UNSUPPORTED, reason=str(error))
            return False
        except errors.Unavailable:
            return True  # the writing threads tell of it
        except Exception as error:  # noqa: BLE001 - a broker's driver raises what it likes
            self._failed(error)
        return True

    def _ask(self, names: Collection[str]) -> Sequence[QueueSample]:
        if self._connection is None:
            self._connection = line.unopened(self._app, self._kind)
        with self._metrics.queue_seconds.time():
            found = self._way.sample(self._connection, names)
        if self._failing:
            log.info(WORKS)
        self._failing = False
        return found

    def _keep(self, samples: Sequence[QueueSample]) -> None:
        """What could not be stored counts as changed the next time."""
        if self._whole.due():
            self._stored = {}
        changed = [sample for sample in samples if self._stored.get(sample.name) != sample]
        if changed:
            queue_samples.write(self._store, changed)
        self._stored = {sample.name: sample for sample in samples}
        self._metrics.queues.set(len(samples))

    def _failed(self, error: Exception) -> None:
        self._metrics.queue_failures.inc()
        if not self._failing:
            log.warning(FAILED, error=f"{type(error).__name__}: {secrets.masked(' '.join(str(error).split()))}")
        self._failing = True
        self._hang_up()

    def _hang_up(self) -> None:
        if self._connection is not None:
            connections.close(self._connection)
            self._connection = None
