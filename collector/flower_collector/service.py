"""The collector as a whole: its parts put together, started and stopped in order.

intake                            pipeline
receiver ──▶ buffer (spool) ──▶ pump (gate, batcher) ──▶ writing ──▶ store   duties: beat, leadership, gaps
    ▲                                   │ receipts           upkeep, reconciler: the leader's longer work
    └───────────────────────────────────┘                    conversations: ask workers, enable events, probe
                                                             queues: how full they are
                                                             health: HTTP
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import structlog

from flower_collector import commands, redaction
from flower_collector.auditing import Auditing
from flower_collector.conversations import conversations
from flower_collector.duties import Duties
from flower_collector.health import Health
from flower_collector.intake import Intake
from flower_collector.marking import Marking
from flower_collector.pipeline import Pipeline
from flower_collector.queues import sampling
from flower_collector.reconciler import Reconciler
from flower_collector.retaining import Retaining
from flower_collector.settings import CollectorSettings
from flower_collector.shared import shared
from flower_collector.silences import Silences
from flower_collector.upkeep import Chore, Upkeep
from flower_store import errors
from flower_store.lifetimes import RetentionSettings
from flower_store.marks import Limits
from flower_store.settings import StoreSettings

log = structlog.get_logger()

STARTED = "collector started"
STOPPING = "collector stopping"
STOPPED = "collector stopped"
FAILED = "collector failed"

PATIENCE = timedelta(seconds=5)
"""How long a thread may take to notice a stop: the longest wait in any of them, and a margin."""


class Collector:
    """One cluster's collector. `start()`, then `wait()`, then `stop()`, which may come from a signal handler."""

    def __init__(
        self,
        settings: CollectorSettings,
        store: StoreSettings,
        *,
        retention: RetentionSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Put the parts together; nothing is connected. Raises SettingError when the application cannot be loaded."""
        self._settings = settings
        self._clock = clock
        self._ended = threading.Event()
        self._stop_lock = threading.RLock()
        self._stopped = False
        self._started = False
        self._failure: errors.StoreError | None = None
        self._shared = shared(settings, store, clock=clock, draw=draw)
        self.metrics = self._shared.metrics
        self._intake = Intake(self._shared)
        self._pipeline = Pipeline(self._shared, self._intake.buffer, failed=self._fail)
        self._duties = self._make_duties()
        self._conversations = conversations(
            self._shared,
            subscribed=self._intake.subscribed,
            totals=self._pipeline.totals,
            settled=self.ready,
            leads=lambda: self._duties.leads is not False,
        )
        chores = self._chores(retention or RetentionSettings())
        self._upkeep = Upkeep(self._shared.writer(), chores, leads=lambda: bool(self._duties.leads))
        self._reconciler = self._make_reconciler()
        self._commands = commands.threads(self._shared)
        self._queues = sampling.threads(self._shared, leads=lambda: bool(self._duties.leads))
        self._threads: tuple[threading.Thread, ...] = (
            *self._intake.receivers, *self._pipeline.threads, self._duties, self._upkeep, self._reconciler,
            *self._conversations, *self._commands, *self._queues, *self._intake.spoolers,
        )  # fmt: skip
        self._health = Health(settings, healthy=self.healthy, ready=self.readiness, registry=self.metrics.registry)
        self._watch()

    def start(self) -> None:
        """Listen, check the schema and start collecting; a broker or database that is away is waited for.

        Raises SettingError (port taken), WrongSchema.
        """
        self._check_schema()
        self._health.start()
        self._started = True
        for thread in self._threads:
            if not self._stopped:  # by a signal in between
                thread.start()
        log.info(STARTED, cluster=self._settings.cluster, broker=self._shared.shown, port=self._health.port)

    def stop(self) -> None:
        """Take nothing more, write what is there, send the receipts, end. May be called twice, from any thread."""
        with self._stop_lock:
            if self._stopped:
                return
            self._stopped = True
            if self._started:
                log.info(STOPPING)
                self._wind_down()
                left = len(self._intake.buffer)
                log.info(STOPPED, stored=self._pipeline.totals.stored, left_in_memory=left)
            else:
                self._intake.close()
            self._ended.set()

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Wait until it was stopped or failed; False when the time was over first."""
        return self._ended.wait(None if timeout is None else timeout.total_seconds())

    @property
    def failed(self) -> errors.StoreError | None:
        """Why it cannot go on; None while it can. It still has to be stopped."""
        return self._failure

    @property
    def port(self) -> int:
        """The port of health and metrics."""
        return self._health.port

    def ready(self) -> bool:
        """Whether events flow: the broker and the database answer."""
        return all(self.readiness().values())

    def readiness(self) -> Mapping[str, bool | None]:
        """Whether each side answers, as `/readyz` tells; None while it has neither answered nor failed."""
        return {
            "broker": self._intake.answered,
            "database": False if self._shared.events.answers is False else self._shared.beats.answers,
        }

    def healthy(self) -> Mapping[str, bool]:
        """Whether each thread lives."""
        return {thread.name.removeprefix("flower-"): thread.is_alive() for thread in self._threads}

    def _make_duties(self) -> Duties:
        return Duties(
            self._shared.writer(),
            instance=self._shared.instance,
            promise=lambda: self._intake.promise,
            totals=self._pipeline.totals,
            found=self._shared.found,
            buffer=self._intake.buffer,
            complete=(lambda: self._intake.complete_until) if self._intake.subscribed else None,
            noted=self._shared.gaps,
            broker=self._shared.broker,
            database=self._shared.beats,
            metrics=self.metrics,
            failed=self._fail,
        )

    def _chores(self, retention: RetentionSettings) -> Sequence[Chore]:
        """The leader's longer work, in the order in which it is done where several are due."""
        settings = self._settings
        limits = Limits(
            lost_after=settings.lost_after, stuck_after=settings.stuck_after, overdue_after=settings.overdue_after
        )
        return (
            Auditing(self.metrics, grace=settings.audit_grace),
            Silences(self._shared.found, answered=settings.inspect_interval * 3, settled=self.ready),
            self._shared.crowding,
            Marking(limits, listened=lambda: self._duties.listened),
            Retaining(retention, self.metrics, clock=self._clock),
        )

    def _make_reconciler(self) -> Reconciler:
        return Reconciler(
            self._shared.app,
            self._shared.writer(),
            settings=self._settings,
            leads=lambda: bool(self._duties.leads) and self._settings.reconcile_rate > 0,
            redaction=redaction.of(self._settings),
            metrics=self.metrics,
        )

    def _watch(self) -> None:
        metrics, buffer = self.metrics, self._intake.buffer
        metrics.buffer_messages.set_function(lambda: len(buffer))
        metrics.buffer_bytes.set_function(lambda: buffer.size)
        metrics.broker_connected.set_function(lambda: bool(self.readiness()["broker"]))
        metrics.database_available.set_function(lambda: bool(self.readiness()["database"]))

    def _check_schema(self) -> None:
        writer = self._shared.writer()
        try:
            writer.connect()
        except errors.Unavailable:
            return  # it may come later; the threads wait for it and tell
        finally:
            writer.close()

    def _wind_down(self) -> None:
        """In the order of the stream; what the database does not take in time, the broker or the disk keeps."""
        deadline = self._clock() + self._settings.stop_timeout.total_seconds()
        for talking in (*self._conversations, *self._commands, *self._queues):
            talking.finish()
        self._upkeep.finish()
        self._reconciler.finish()
        self._intake.pause(max(PATIENCE, self._settings.stop_timeout / 2))
        self._duties.resign()
        self._intake.buffer.close()
        self._pipeline.drain(deadline)
        self._intake.finish()
        self._intake.abandon()
        self._pipeline.join(PATIENCE)
        self._duties.finish()  # now it is known what is given up
        if self._duties.is_alive():
            self._duties.join(PATIENCE.total_seconds())  # what it could not record is for the disk, too
        self._intake.save(self._settings.stop_timeout)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(PATIENCE.total_seconds())
        self._health.stop()

    def _fail(self, error: errors.StoreError) -> None:
        """Remember why, and wake `wait()`; the main thread then stops."""
        if self._failure is None:
            self._failure = error
            log.error(FAILED, error=str(error))
        self._ended.set()
