"""What the parts of a collector have in common: its cluster, what was set, and what they tell each other by."""

import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from os import getpid
from uuid import uuid4

from flower_collector import app, backend_url, driver
from flower_collector.arrivals import Arrivals
from flower_collector.availability import Availability
from flower_collector.backoff import Backoff
from flower_collector.crowding import Crowding
from flower_collector.findings import Findings
from flower_collector.gaps import Gaps
from flower_collector.metrics import Metrics
from flower_collector.probe import Echoes
from flower_collector.receivers import choice
from flower_collector.settings import CollectorSettings
from flower_store import dimensions, writes
from flower_store.settings import StoreSettings


def _instance() -> writes.Instance:
    return writes.Instance(
        id=uuid4(), hostname=socket.gethostname(), pid=getpid(), version=metadata.version("flower"), promise=""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One a collector. `kind` and `shown` tell of the broker: its transport, and its URL without the password.

    `broker`, `events` and `beats` are whether each of these answers: the broker, the database to the thread that
    writes events, and to the one that beats.
    """

    settings: CollectorSettings
    store: StoreSettings
    app: app.App
    kind: str
    shown: str
    metrics: Metrics
    found: Findings
    crowding: Crowding
    broker: Availability
    events: Availability
    beats: Availability
    clock: Callable[[], float]
    draw: Callable[[], float]
    gaps: Gaps = field(default_factory=Gaps)
    arrivals: Arrivals = field(default_factory=Arrivals)
    echoes: Echoes = field(default_factory=Echoes)
    instance: writes.Instance = field(default_factory=_instance)

    def connection(self) -> driver.Connection:
        """A connection for events, not yet open."""
        return self.app.connection_for_read(heartbeat=app.HEARTBEAT)

    def backoff(self) -> Backoff:
        """One for each thread that connects."""
        return Backoff(self.draw)

    def writer(self) -> writes.Writer:
        """A door to the store, not yet open: each thread that writes has its own."""
        settings = self.settings
        bounds = dimensions.Bounds(
            names=settings.max_task_names,
            queues=settings.max_queues,
            workers=settings.max_workers,
            types=settings.max_event_types,
            groups=settings.max_error_groups,
        )
        return writes.Writer(
            self.store, cluster=settings.cluster, transport=self.kind, broker=self.shown, bounds=bounds
        )


def shared(
    settings: CollectorSettings,
    store: StoreSettings,
    *,
    clock: Callable[[], float] = time.monotonic,
    draw: Callable[[], float] = random.random,
) -> Shared:
    """What a new collector's parts share; raises SettingError where that cannot be."""
    cluster = app.cluster_app(settings)
    backend_url.check(cluster, settings.result_backend)
    connection = cluster.connection_for_read(heartbeat=app.HEARTBEAT)
    metrics = Metrics()
    found = Findings(metrics)
    broker, events, beats = (Availability(clock) for _ in range(3))
    return Shared(
        settings=settings,
        store=store,
        app=cluster,
        kind=choice.transport(connection),
        shown=choice.shown(connection),
        metrics=metrics,
        found=found,
        crowding=Crowding(found, settings, clock=clock),
        broker=broker,
        events=events,
        beats=beats,
        clock=clock,
        draw=draw,
    )
