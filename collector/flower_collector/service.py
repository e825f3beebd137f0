"""The collector as a whole: its parts put together, started and stopped in order.

receiver ──▶ buffer ──▶ pump (gate, batcher) ──▶ writing ──▶ store   duties: beat, leadership, gaps, upkeep
    ▲                         │ receipts                            control: inspect workers; switch: enable events
    └─────────────────────────┘                                     health: HTTP
"""

import random
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from importlib import metadata
from os import getpid
from uuid import uuid4

import structlog

from flower_collector import app, redaction, spooling
from flower_collector.arrivals import Arrivals
from flower_collector.auditing import Auditing
from flower_collector.availability import Availability
from flower_collector.backoff import Backoff
from flower_collector.batcher import Batcher
from flower_collector.buffer import Buffer
from flower_collector.control import ControlThread
from flower_collector.conversation import Conversation
from flower_collector.duties import Duties
from flower_collector.findings import Findings
from flower_collector.gaps import Gaps
from flower_collector.handover import Handover
from flower_collector.health import Health
from flower_collector.marking import Marking
from flower_collector.metrics import Metrics
from flower_collector.probe import Echoes
from flower_collector.prober import Prober
from flower_collector.pump import Pump
from flower_collector.receivers import choice
from flower_collector.receivers.receiver import Surroundings
from flower_collector.receivers.redis import RedisReceiver
from flower_collector.reconciler import Reconciler
from flower_collector.retaining import Retaining
from flower_collector.returns import Returns
from flower_collector.settings import CollectorSettings
from flower_collector.silences import Silences
from flower_collector.spooler import Spooler
from flower_collector.strangers import Strangers
from flower_collector.switch import Switch
from flower_collector.upkeep import Chore, Upkeep
from flower_collector.writer import BatchWriter
from flower_collector.writing import Writing
from flower_store import dimensions, errors, writes
from flower_store.lifetimes import RetentionSettings
from flower_store.marks import Limits
from flower_store.settings import StoreSettings

log = structlog.get_logger()

STARTED = "collector started"
STOPPING = "collector stopping"
STOPPED = "collector stopped"
FAILED = "collector failed"
NOT_JSON = "events are not JSON: set event_serializer to json, all others are set aside"

PATIENCE = timedelta(seconds=5)
"""How long a thread may take to notice a stop: the longest wait in any of them, and a margin."""

_PROBED = frozenset({"amqp", "redis"})
"""Transports whose events a probe may travel with: on others a queue that nobody reads would fill with them."""


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
        self._store = store
        self._retention = retention or RetentionSettings()
        self._clock = clock
        self._draw = draw
        self._app = app.cluster_app(settings)
        self._give_up = threading.Event()
        self._ended = threading.Event()
        self._stop_lock = threading.RLock()
        self._stopped = False
        self._started = False
        self._failure: errors.StoreError | None = None
        self.metrics = Metrics()
        self._broker, self._writes, self._beats = (Availability(clock) for _ in range(3))
        self._gaps = Gaps()
        self._arrivals = Arrivals()
        self._echoes = Echoes()
        self._found = Findings(self.metrics)
        self._instance = writes.Instance(
            id=uuid4(), hostname=socket.gethostname(), pid=getpid(), version=metadata.version("flower"), promise=""
        )
        self._buffer = Buffer(messages=settings.buffer_size, size=settings.buffer_max_bytes)
        self._spooler: Spooler | None = None
        self._handover = Handover()
        self._assemble()

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
        log.info(STARTED, cluster=self._settings.cluster, broker=self._shown, port=self._health.port)

    def stop(self) -> None:
        """Take nothing more, write what is there, send the receipts, end. May be called twice, from any thread."""
        with self._stop_lock:
            if self._stopped:
                return
            self._stopped = True
            if self._started:
                log.info(STOPPING)
                self._wind_down()
                log.info(STOPPED, stored=self._writer.totals.stored, left_in_memory=len(self._buffer))
            elif self._spooler is not None:
                self._spooler.finish()
                self._spooler.run()
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

    def readiness(self) -> Mapping[str, bool]:
        """Whether each side answers, as `/readyz` tells."""
        return {
            "broker": all(receiver.connected for receiver in self._receivers),
            "database": self._beats.available and not self._writes.away_for(),
        }

    def healthy(self) -> Mapping[str, bool]:
        """Whether each thread lives."""
        return {thread.name.removeprefix("flower-"): thread.is_alive() for thread in self._threads}

    def _assemble(self) -> None:
        settings = self._settings
        connection = self._app.connection_for_read(heartbeat=app.HEARTBEAT)
        self._kind, self._shown = choice.transport(connection), choice.shown(connection)
        if self._app.conf.event_serializer != "json":
            log.warning(NOT_JSON, event_serializer=self._app.conf.event_serializer)
        if self._kind == "redis" and settings.redis_mode != "stream":
            self._open_spool()
        self._writer = self._make_writer()
        self._pump = self._make_pump()
        self._writing = Writing(self._handover, self._writer, stopping=lambda: self._buffer.closed, failed=self._fail)
        self._receivers = choice.receivers_for(
            self._kind, self._surroundings(), settings=settings, cluster=self._app, database=self._writes
        )
        self._duties = self._make_duties()
        self._conversations = self._make_conversations()
        self._upkeep = Upkeep(self._store_writer(), self._chores(), leads=lambda: bool(self._duties.leads))
        self._reconciler = self._make_reconciler()
        self._ending: tuple[threading.Thread, ...] = (self._pump, self._writing)
        self._threads = (
            *self._receivers, *self._ending, self._duties, self._upkeep, self._reconciler,
            *self._conversations,
        )  # fmt: skip
        if self._spooler is not None:
            self._threads = (*self._threads, self._spooler)
        self._health = Health(settings, healthy=self.healthy, ready=self.readiness, registry=self.metrics.registry)
        self._watch()

    def _open_spool(self) -> None:
        """What the broker does not keep is kept on disk, where there is one."""
        opened = spooling.opened(
            self._settings, self._shown, noted=self._gaps, metrics=self.metrics, backoff=Backoff(self._draw)
        )
        if opened is not None:
            self._buffer, self._spooler = opened

    def _make_writer(self) -> BatchWriter:
        return BatchWriter(
            self._store_writer(),
            database=self._writes,
            metrics=self.metrics,
            backoff=Backoff(self._draw),
            give_up=self._give_up,
        )

    def _make_pump(self) -> Pump:
        settings = self._settings
        batcher = Batcher(size=settings.batch_size, flush_after=settings.flush_after, clock=self._clock)
        return Pump(
            self._buffer,
            batcher,
            self._handover,
            totals=self._writer.totals,
            metrics=self.metrics,
            arrivals=self._arrivals,
            echoes=self._echoes,
            redaction=redaction.of(settings),
        )

    def _make_conversations(self) -> Sequence[Conversation]:
        control = ControlThread(
            self._app,
            self._store_writer(),
            settings=self._settings,
            arrivals=self._arrivals,
            leads=self._may_talk,
            backoff=Backoff(self._draw),
        )
        talking: list[Conversation] = [control]
        if self._kind in _PROBED and self._settings.probe_interval and not self._stream_alone:
            talking.append(self._make_prober())
        if self._subscribes:
            talking.append(self._make_strangers())
        if not self._settings.enable_events:
            return talking
        switch = Switch(
            self._app,
            every=self._settings.enable_events_interval,
            arrivals=self._arrivals,
            leads=self._may_talk,
            backoff=Backoff(self._draw),
        )
        return (*talking, switch)

    @property
    def _stream_alone(self) -> bool:
        """Whether probes, which are published, would not come back."""
        return self._kind == "redis" and self._settings.redis_mode == "stream"

    def _make_prober(self) -> Prober:
        return Prober(
            self._app,
            name=self._settings.cluster,
            hostname=self._instance.hostname,
            instance=self._instance.id,
            every=self._settings.probe_interval,
            leads=self._may_talk,
            backoff=Backoff(self._draw),
            sending=self._watch_returns() if self._subscribes else lambda: None,
        )

    @property
    def _subscribes(self) -> bool:
        return any(isinstance(receiver, RedisReceiver) for receiver in self._receivers)

    def _watch_returns(self) -> Callable[[], None]:
        returns = Returns(self._found, instance=self._instance.id, settled=self.ready)
        self._echoes.listen(returns.heard)
        return returns.sending

    def _make_strangers(self) -> Strangers:
        return Strangers(
            self._app,
            self._found,
            heard=lambda: self._arrivals.heard + self._writer.totals.stored,
            settled=self.ready,
            leads=self._may_talk,
            backoff=Backoff(self._draw),
        )

    def _may_talk(self) -> bool:
        return self._duties.leads is not False

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            connect=lambda: self._app.connection_for_read(heartbeat=app.HEARTBEAT),
            exchange=self._app.conf.event_exchange,
            buffer=self._buffer,
            gaps=self._gaps,
            broker=self._broker,
            metrics=self.metrics,
            backoff=Backoff(self._draw),
        )

    def _make_duties(self) -> Duties:
        return Duties(
            self._store_writer(),
            instance=self._instance,
            promise=lambda: self._receivers[-1].promise,
            totals=self._writer.totals,
            found=self._found,
            buffer=self._buffer,
            noted=self._gaps,
            broker=self._broker,
            database=self._beats,
            metrics=self.metrics,
            failed=self._fail,
        )

    def _chores(self) -> Sequence[Chore]:
        """The leader's longer work, in the order in which it is done where several are due."""
        settings = self._settings
        limits = Limits(
            lost_after=settings.lost_after, stuck_after=settings.stuck_after, overdue_after=settings.overdue_after
        )
        return (
            Auditing(self.metrics, grace=settings.audit_grace),
            Silences(self._found, answered=settings.inspect_interval * 3, settled=self.ready),
            Marking(limits, listened=lambda: self._duties.listened),
            Retaining(self._retention, self.metrics, clock=self._clock),
        )

    def _make_reconciler(self) -> Reconciler:
        return Reconciler(
            self._app,
            self._store_writer(),
            settings=self._settings,
            leads=lambda: bool(self._duties.leads) and self._settings.reconcile_rate > 0,
            redaction=redaction.of(self._settings),
            metrics=self.metrics,
        )

    def _store_writer(self) -> writes.Writer:
        settings = self._settings
        bounds = dimensions.Bounds(
            names=settings.max_task_names,
            queues=settings.max_queues,
            workers=settings.max_workers,
            types=settings.max_event_types,
        )
        return writes.Writer(
            self._store, cluster=settings.cluster, transport=self._kind, broker=self._shown, bounds=bounds
        )

    def _watch(self) -> None:
        metrics = self.metrics
        metrics.buffer_messages.set_function(lambda: len(self._buffer))
        metrics.buffer_bytes.set_function(lambda: self._buffer.size)
        metrics.broker_connected.set_function(lambda: self.readiness()["broker"])
        metrics.database_available.set_function(lambda: self.readiness()["database"])

    def _check_schema(self) -> None:
        writer = self._store_writer()
        try:
            writer.connect()
        except errors.Unavailable:
            return  # it may come later; the threads wait for it and tell
        finally:
            writer.close()

    def _wind_down(self) -> None:
        """In the order of the stream; what the database does not take in time, RabbitMQ keeps."""
        deadline = self._clock() + self._settings.stop_timeout.total_seconds()
        for conversation in self._conversations:
            conversation.finish()
        self._upkeep.finish()
        self._reconciler.finish()
        for receiver in self._receivers:
            receiver.pause()
        for receiver in self._receivers:
            receiver.paused.wait(PATIENCE.total_seconds())
        self._duties.finish()
        self._buffer.close()
        for thread in self._ending:
            if thread.is_alive():
                thread.join(max(0.0, deadline - self._clock()))
        self._give_up.set()
        for receiver in self._receivers:
            receiver.finish()
        self._save()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(PATIENCE.total_seconds())
        self._health.stop()

    def _save(self) -> None:
        """What could not be written is for the disk, as soon as nobody else holds it."""
        if self._spooler is None:
            return
        self._buffer.abandon()
        for thread in self._ending:
            if thread.is_alive():
                thread.join(PATIENCE.total_seconds())
        self._spooler.finish()
        if self._spooler.is_alive():
            self._spooler.join(self._settings.stop_timeout.total_seconds())

    def _fail(self, error: errors.StoreError) -> None:
        """Remember why, and wake `wait()`; the main thread then stops."""
        if self._failure is None:
            self._failure = error
            log.error(FAILED, error=str(error))
        self._ended.set()
