"""What the collector writes. One `Writer` owns one connection and belongs to one thread.

The contract: when `write` returns, the batch is committed. When it raises Unavailable, the batch may or may not be
committed and must be written again (nothing is counted twice: the log knows each event). When it raises Rejected,
nothing of the batch is stored, and writing the same batch again cannot help.
"""

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
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
    fingerprint,
    fold,
    groups,
    losses,
    notices,
    partitions,
    rows,
    schema,
    transactions,
    unused,
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._bounds = bounds
        self._cluster = (cluster, transport, broker)
        self._connection: psycopg.Connection | None = None
        self._cluster_id = 0
        self._server = transactions.UNKNOWN
        self._clock = clock
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
        *,
        folded: Mapping[str, fold.Folded] | None = None,
    ) -> Written:
        """Store a batch in one transaction; `folded` are its events where they are folded already."""
        with self._translated() as connection:
            folded = fold.fold(events) if folded is None else folded
            found = self._ids(connection, events, worker_events)
            known = [event for event in worker_events if found.workers[event.hostname] != found.overflow["worker"]]
            appended: batch.Appended | None = None
            # Statements that do not need each other's answers travel together, the transaction's own among them: after
            # each answer this thread waits for the interpreter, and the other writer for the locks that it holds.
            with transactions.undone(connection), connection.cursor() as cursor:
                with connection.pipeline():
                    asked = transactions.begin(connection, database.limits(self._settings.database_write_timeout))
                    if folded:
                        batch.prepare(cursor)
                now = transactions.check(asked, known=self._server)
                self._check_names(now)
                if folded:
                    appended = batch.append(cursor, self._cluster_id, folded, found)
                with connection.pipeline():
                    if appended is not None:
                        appended.tally.write(cursor, self._cluster_id)
                        unused.note_future(cursor, events, folded, found, now)
                    workers.write(connection, known, found.workers)
                    self._write_aside(cursor, aside)
                    notices.send(cursor, self._cluster_id)
                    transactions.commit(connection)
            return Written(
                stored=appended.stored if appended else 0,
                tasks=len(folded),
                overflowed=self._overflowed(),
                too_old=appended.too_old if appended else 0,
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
        self,
        started_at: datetime,
        ended_at: datetime,
        *,
        reason: str,
        detail: str = "",
        count: int | None = None,
        at_least: bool = False,
        since_stored: bool = False,
        identity: UUID | None = None,
    ) -> bool:
        """Record an interval in which events, `count` of them where that is known, were or may have been lost.

        False where there is no new row: a restart of the broker is seen by all collectors, and the first one tells; a
        gap of the same `identity` is the same loss, of which more may have been found since. With `since_stored` it
        begins with the last event that is stored from before `started_at`.
        """
        with self._translated() as connection:
            parameters = {
                "cluster": self._cluster_id, "from": started_at, "until": ended_at, "reason": reason, "detail": detail,
                "count": count, "at_least": at_least, "since_stored": since_stored, "identity": identity,
                "by_first": reason == losses.BROKER_RESTARTED,
            }  # fmt: skip
            row = connection.execute(_GAP, parameters).fetchone()
            return bool(row and row[0])

    def last_beat(self) -> datetime | None:
        """When a collector of this cluster last said that it lived; None if never."""
        with self._translated() as connection:
            row = connection.execute(_LAST_BEAT, (self._cluster_id,)).fetchone()
            return row[0] if row else None

    def beat(
        self,
        instance: Instance,
        *,
        stored: int,
        aside: int,
        lag: timedelta | None,
        committed_at: datetime | None = None,
        broker_away_at: datetime | None = None,
        found: Sequence[FindingRecord] = (),
    ) -> None:
        """Say that this collector lives, what it has done and found, and since when its broker does not answer.

        `committed_at` is the time until which everything sent is committed, where the broker keeps nothing.
        """
        seconds = None if lag is None else lag.total_seconds()
        with self._translated() as connection:
            connection.execute(
                _BEAT,
                (
                    instance.id, self._cluster_id, instance.hostname, instance.pid, instance.version,
                    instance.promise, stored, aside, seconds, committed_at, broker_away_at,
                    Jsonb(findings.documents(found)),
                ),
            )  # fmt: skip

    def stopped(self, instance: Instance) -> None:
        """Say that this collector stopped in order."""
        with self._translated() as connection:
            connection.execute("UPDATE collector SET stopped_at = now(), beat_at = now() WHERE id = %s", (instance.id,))

    def queue_ids(self, connection: psycopg.Connection, names: Iterable[str]) -> dict[str, int]:
        """The small ids of queues, within `session()`; those past the bound have none."""
        found = self._queues.ids(connection, names)
        return {name: number for name, number in found.items() if number != self._queues.overflow_id}

    def _write_aside(self, cursor: psycopg.Cursor, aside: Sequence[SetAside]) -> None:
        if aside:
            cursor.executemany(_ASIDE, [_aside_row(self._cluster_id, one) for one in aside])

    def _ids(
        self, connection: psycopg.Connection, events: Iterable[TaskEvent], worker_events: Iterable[WorkerEvent]
    ) -> rows.Ids:
        hosts = {event.hostname for event in worker_events}
        names, queues, types = set[str | None](), set[str | None](), set[str]()
        failed: list[TaskEvent] = []
        for event in events:  # one loop over all that was received: four took a fortieth of the collector's time
            event_type = event.type
            if event_type in _NAMED:
                names.add(fold.text(event.fields, "name"))
            if event_type == "task-sent":
                queues.add(fold.text(event.fields, "queue"))
            else:
                hosts.add(event.hostname)
                if event_type == "task-failed":
                    failed.append(event)
            types.add(event_type)
        return rows.Ids(
            names=self._names.ids(connection, names),
            queues=self._queues.ids(connection, queues),
            workers=self._workers.ids(connection, hosts),
            types=self._types.ids(connection, types - event_types.CODES.keys()),
            overflow={
                "name": self._names.overflow_id,
                "worker": self._workers.overflow_id,
                "type": self._types.overflow_id,
            },
            groups=self._failures(connection, failed),
        )

    def _failures(self, connection: psycopg.Connection, failed: Sequence[TaskEvent]) -> dict[rows.FailureMark, int]:
        """The error group of each failure."""
        found = {rows.failure_mark(event): fingerprint.of_fields(event.fields) for event in failed}
        ids = self.error_groups(connection, found.values())
        return {mark: ids[one] for mark, one in found.items()}

    def error_groups(
        self, connection: psycopg.Connection, found: Iterable[fingerprint.Fingerprint]
    ) -> dict[fingerprint.Fingerprint, int]:
        """The ids of these error groups, with the connection of `session`; those that are new get a row."""
        return self._groups.of(connection, found)

    def _overflowed(self) -> dict[str, int]:
        kinds = {
            "name": self._names, "queue": self._queues, "worker": self._workers, "type": self._types,
            "group": self._groups,
        }  # fmt: skip
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
        self._queues = dimensions.Dimension("queue", "name", cluster, most=bounds.queues, goes=True)
        self._workers = dimensions.Dimension("worker", "hostname", cluster, most=bounds.workers, goes=True)
        self._types = dimensions.Dimension("event_type", "name", cluster, most=bounds.types)
        self._groups = groups.Groups(cluster, most=bounds.groups)
        self._named_at: datetime | None = None
        self._named_until = 0.0

    def _renew_names(self, connection: psycopg.Connection) -> None:
        """Forget names that were looked up too long ago: rows of those that are not used any more are deleted."""
        if self._named_at is not None and self._clock() < self._named_until:
            return
        self._remember_nothing()
        self._named_until = self._clock() + dimensions.LEASE.total_seconds()
        row = connection.execute("SELECT now()").fetchone()
        self._named_at = row[0] if row else None

    def _check_names(self, now: datetime) -> None:
        """By the server's time, for a process that stood still since it looked names up. Raises Unavailable."""
        if self._named_at is None or now - self._named_at > dimensions.STALE:
            self._named_at = None
            raise errors.Unavailable("names were looked up too long ago: they are looked up again")

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
                self._renew_names(connection)
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

_GAP = """
INSERT INTO gap (cluster_id, started_at, ended_at, reason, detail, count, at_least, identity)
SELECT %(cluster)s, CASE WHEN %(since_stored)s THEN coalesce((
    -- By the minutes first: the log has no index by which its last event before a time is found.
    SELECT max(at) FROM task_event WHERE (
      worker_id IN (SELECT id FROM worker WHERE cluster_id = %(cluster)s)
      OR name_id IN (SELECT id FROM task_name WHERE cluster_id = %(cluster)s)
    ) AND at < %(from)s AND at >= (
      SELECT min(bucket) FROM (
        SELECT DISTINCT bucket FROM rollup_1m WHERE cluster_id = %(cluster)s AND bucket < %(from)s
        ORDER BY bucket DESC LIMIT 2
      ) AS minutes
    )
  ), %(from)s) ELSE %(from)s END, %(until)s, %(reason)s, %(detail)s, %(count)s, %(at_least)s, %(identity)s
WHERE NOT %(by_first)s OR NOT EXISTS (
  SELECT FROM gap WHERE cluster_id = %(cluster)s AND reason = %(reason)s
  AND started_at <= %(until)s AND ended_at >= %(from)s
)
ON CONFLICT (cluster_id, identity) DO UPDATE SET
  started_at = least(gap.started_at, excluded.started_at), ended_at = greatest(gap.ended_at, excluded.ended_at),
  count = greatest(gap.count, excluded.count), at_least = gap.at_least OR excluded.at_least
RETURNING xmax = 0
"""

_LAST_BEAT = "SELECT max(beat_at) FROM collector WHERE cluster_id = %s"

_TRIM_ASIDE = """
DELETE FROM set_aside WHERE cluster_id = %(cluster)s AND id <= (
  SELECT max(id) FROM (
    SELECT id, row_number() OVER newest AS number, sum(octet_length(body)) OVER newest AS bytes
    FROM set_aside WHERE cluster_id = %(cluster)s WINDOW newest AS (ORDER BY id DESC)
  ) AS kept WHERE number > %(keep)s OR bytes > %(bytes)s
)
"""

_BEAT = """
INSERT INTO collector (id, cluster_id, hostname, pid, version, promise, stored, set_aside, lag, committed_at,
  broker_away_at, findings)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET beat_at = now(), promise = excluded.promise, stored = excluded.stored,
  set_aside = excluded.set_aside, lag = excluded.lag, committed_at = excluded.committed_at,
  broker_away_at = excluded.broker_away_at, findings = excluded.findings
"""
