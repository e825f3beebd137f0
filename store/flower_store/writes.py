"""What the collector writes. One `Writer` owns one connection and belongs to one thread.

The contract: when `write` returns, the batch is committed. When it raises Unavailable, the batch may or may not be
committed and must be written again (nothing is counted twice: the log knows each event). When it raises Rejected,
nothing of the batch is stored, and writing the same batch again cannot help.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from flower_store import (
    batch,
    database,
    dimensions,
    errors,
    event_types,
    findings,
    fold,
    notices,
    partitions,
    rows,
    schema,
    transactions,
    workers,
)
from flower_store.events import SetAside, TaskEvent, WorkerEvent
from flower_store.findings import FindingRecord
from flower_store.settings import StoreSettings

SET_ASIDE_BODY = 65_536
"""Bytes of a set-aside message that are kept."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one batch did: events that were new, tasks touched; names by kind that shared the row of those past their
    bound since the last batch; events from before the log's horizon, which were not logged."""

    stored: int
    tasks: int
    overflowed: Mapping[str, int]
    too_old: int = 0


@dataclass(frozen=True, slots=True)
class Instance:
    """A collector process, as its row tells of it."""

    id: UUID
    hostname: str
    pid: int
    version: str
    promise: str


_BOUNDS = dimensions.Bounds()
_NOTHING = batch.Appended(stored=0)
_NAMED = ("task-sent", "task-received")


class Writer:
    """Writes one cluster's events. Not thread-safe; connects at the first need and again after an outage."""

    def __init__(
        self,
        settings: StoreSettings,
        *,
        cluster: str,
        transport: str = "",
        broker: str = "",
        bounds: dimensions.Bounds = _BOUNDS,
    ) -> None:
        self._settings = settings
        self._bounds = bounds
        self._cluster = (cluster, transport, broker)
        self._connection: psycopg.Connection | None = None
        self._cluster_id = 0
        self._server = transactions.UNKNOWN
        self._remember_nothing()

    @property
    def cluster_id(self) -> int:
        """The cluster's id; 0 before the first connection."""
        return self._cluster_id

    def connect(self) -> None:
        """Connect unless connected; registers the cluster. Raises Unavailable, WrongSchema."""
        self._connected()

    def close(self) -> None:
        """Close the connection. May be called twice; the next write connects again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def write(
        self,
        events: Sequence[TaskEvent],
        worker_events: Sequence[WorkerEvent] = (),
        aside: Sequence[SetAside] = (),
    ) -> Written:
        """Store a batch in one transaction."""
        with self._translated() as connection:
            unique = list({(event.task_id, event.at, event.digest): event for event in events}.values())
            folded = fold.fold(unique)
            found = self._ids(connection, unique, worker_events)
            with connection.transaction(), connection.cursor() as cursor:
                transactions.begin(cursor, database.limits(self._settings.database_write_timeout), known=self._server)
                appended = batch.write(cursor, self._cluster_id, unique, folded, found) if unique else _NOTHING
                known = [event for event in worker_events if found.workers[event.hostname] != found.overflow["worker"]]
                workers.write(connection, known, found.workers)
                self._write_aside(cursor, aside)
                notices.send(cursor, self._cluster_id)
            return Written(
                stored=appended.stored,
                tasks=len(folded),
                overflowed=self._overflowed(),
                too_old=appended.too_old,
            )

    def write_replies(self, replies: Mapping[str, Mapping[str, object]], *, silence: timedelta) -> None:
        """Store inspect replies by host name and method."""
        with self._translated() as connection:
            found = self._workers.ids(connection, replies)
            shared = self._workers.overflow_id
            by_id = {found[hostname]: reply for hostname, reply in replies.items() if found[hostname] != shared}
            workers.write_replies(connection, by_id, silence=silence)
            with connection.cursor() as cursor:
                notices.send(cursor, self._cluster_id)

    def mark_lost_workers(self) -> int:
        """Log workers that fell silent; returns how many are new."""
        with self._translated() as connection:
            return workers.mark_lost(connection, self._cluster_id)

    def ensure_partitions(self, now: datetime) -> list[str]:
        """Make the event log's partitions around `now`."""
        with self._translated() as connection:
            return partitions.ensure(connection, now)

    def trim_set_aside(self, keep: int, *, keep_bytes: int = 2**62) -> int:
        """Delete all but the newest records of set-aside input, by number and bytes; returns how many went."""
        bounds = {"cluster": self._cluster_id, "keep": keep, "bytes": keep_bytes}
        with self._translated() as connection:
            return connection.execute(_TRIM_ASIDE, bounds).rowcount

    def record_gap(
        self, started_at: datetime, ended_at: datetime, *, reason: str, detail: str = "", count: int | None = None
    ) -> None:
        """Record an interval in which events, `count` of them where that is known, were or may have been lost."""
        with self._translated() as connection:
            connection.execute(_GAP, (self._cluster_id, started_at, ended_at, reason, detail, count))

    def last_beat(self, *, other_than: UUID | None = None) -> datetime | None:
        """When a collector of this cluster, or another one than this, last said that it lived; None if never."""
        with self._translated() as connection:
            row = connection.execute(_LAST_BEAT, (self._cluster_id, other_than)).fetchone()
            return row[0] if row else None

    def beat(
        self,
        instance: Instance,
        *,
        stored: int,
        aside: int,
        lag: timedelta | None,
        broker_away_at: datetime | None = None,
        found: Sequence[FindingRecord] = (),
    ) -> None:
        """Say that this collector lives, what it has done and found, and since when its broker does not answer."""
        seconds = None if lag is None else lag.total_seconds()
        with self._translated() as connection:
            connection.execute(
                _BEAT,
                (
                    instance.id, self._cluster_id, instance.hostname, instance.pid, instance.version,
                    instance.promise, stored, aside, seconds, broker_away_at, Jsonb(findings.documents(found)),
                ),
            )  # fmt: skip

    def stopped(self, instance: Instance) -> None:
        """Say that this collector stopped in order."""
        with self._translated() as connection:
            connection.execute("UPDATE collector SET stopped_at = now(), beat_at = now() WHERE id = %s", (instance.id,))

    def _write_aside(self, cursor: psycopg.Cursor, aside: Sequence[SetAside]) -> None:
        if aside:
            cursor.executemany(_ASIDE, [_aside_row(self._cluster_id, one) for one in aside])

    def _ids(
        self, connection: psycopg.Connection, events: Iterable[TaskEvent], worker_events: Iterable[WorkerEvent]
    ) -> rows.Ids:
        hosts = {event.hostname for event in events if event.type != "task-sent"}
        hosts.update(event.hostname for event in worker_events)
        told = [event.fields for event in events if event.type in _NAMED]
        return rows.Ids(
            names=self._names.ids(connection, {fold.text(fields, "name") or "" for fields in told}),
            queues=self._queues.ids(connection, {fold.text(fields, "queue") or "" for fields in told}),
            workers=self._workers.ids(connection, hosts),
            types=self._types.ids(connection, {event.type for event in events} - event_types.CODES.keys()),
            overflow={
                "name": self._names.overflow_id,
                "worker": self._workers.overflow_id,
                "type": self._types.overflow_id,
            },
        )

    def _overflowed(self) -> dict[str, int]:
        kinds = {"name": self._names, "queue": self._queues, "worker": self._workers, "type": self._types}
        return {kind: number for kind, dimension in kinds.items() if (number := dimension.take_overflowed())}

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            connection = database.connect_driver(self._settings)
            try:
                self._register(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _register(self, connection: psycopg.Connection) -> None:
        with errors.translated():
            schema.check(connection)
            server = transactions.server(connection)
            cluster_id = _cluster_id(connection, *self._cluster)
        if (server, cluster_id) != (self._server, self._cluster_id):
            # Another server, as a standby that became the primary, may lack the last rows of the old one: its ids may
            # stand for other names there.
            self._server, self._cluster_id = server, cluster_id
            self._remember_nothing()

    def _remember_nothing(self) -> None:
        bounds, cluster = self._bounds, self._cluster_id
        self._names = dimensions.Dimension("task_name", "name", cluster, most=bounds.names)
        self._queues = dimensions.Dimension("queue", "name", cluster, most=bounds.queues)
        self._workers = dimensions.Dimension("worker", "hostname", cluster, most=bounds.workers)
        self._types = dimensions.Dimension("event_type", "name", cluster, most=bounds.types)

    @contextmanager
    def session(self) -> Generator[psycopg.Connection]:
        """The connection, in autocommit mode, for the store's own modules: errors come out as the store's.

        `cluster_id` is known inside. A broken connection is dropped, and the next need makes a new one.
        """
        with self._translated() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Generator[psycopg.Connection]:
        """The connection, with errors of the store; a broken one is dropped."""
        connection = self._connected()
        try:
            with errors.translated(), database.bounded(connection, self._settings.database_write_timeout):
                yield connection
        except errors.Unavailable:
            self.close()
            raise


def _cluster_id(connection: psycopg.Connection, slug: str, transport: str, broker: str) -> int:
    """The cluster's id; a new one gets a row."""
    row = connection.execute(_FIND_CLUSTER, (slug,)).fetchone()
    if row is None:
        # Only where it is absent: an INSERT that conflicts takes a number, and there are 32,767.
        connection.execute(_ADD_CLUSTER, (slug,))
        row = connection.execute(_FIND_CLUSTER, (slug,)).fetchone()
    cluster_id: int = row[0] if row else 0
    connection.execute(_DESCRIBE_CLUSTER, (transport, broker, cluster_id, transport, broker))
    return cluster_id


def _aside_row(cluster_id: int, one: SetAside) -> tuple[object, ...]:
    text = (one.reason, one.detail, one.routing_key, one.content_type)
    return (
        cluster_id,
        one.received_at,
        *(part.replace("\0", "␀")[:1000] for part in text),
        one.body[:SET_ASIDE_BODY],
    )


_FIND_CLUSTER = "SELECT id FROM cluster WHERE slug = %s"

_ADD_CLUSTER = "INSERT INTO cluster (slug) VALUES (%s) ON CONFLICT DO NOTHING"

_DESCRIBE_CLUSTER = """
UPDATE cluster SET transport = %s, broker = %s WHERE id = %s AND (transport, broker) IS DISTINCT FROM (%s, %s)
"""

_ASIDE = """
INSERT INTO set_aside (cluster_id, received_at, reason, detail, routing_key, content_type, body)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""

_GAP = "INSERT INTO gap (cluster_id, started_at, ended_at, reason, detail, count) VALUES (%s, %s, %s, %s, %s, %s)"

_LAST_BEAT = "SELECT max(beat_at) FROM collector WHERE cluster_id = %s AND id IS DISTINCT FROM %s::uuid"

_TRIM_ASIDE = """
DELETE FROM set_aside WHERE cluster_id = %(cluster)s AND id <= (
  SELECT max(id) FROM (
    SELECT id, row_number() OVER newest AS number, sum(octet_length(body)) OVER newest AS bytes
    FROM set_aside WHERE cluster_id = %(cluster)s WINDOW newest AS (ORDER BY id DESC)
  ) AS kept WHERE number > %(keep)s OR bytes > %(bytes)s
)
"""

_BEAT = """
INSERT INTO collector (id, cluster_id, hostname, pid, version, promise, stored, set_aside, lag, broker_away_at,
  findings)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET beat_at = now(), promise = excluded.promise, stored = excluded.stored,
  set_aside = excluded.set_aside, lag = excluded.lag, broker_away_at = excluded.broker_away_at,
  findings = excluded.findings
"""
