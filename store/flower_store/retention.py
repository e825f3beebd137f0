"""Deletes what is older than it may be, in steps so small that nobody waits for them.

Days of events and samples go as whole partitions: a lock that cannot be had at once is left and tried again, because
whoever waits for it would make everybody behind wait, too. Tasks go in bounded batches that pass over rows which a
collector holds, so neither waits for the other, and no deadlock can arise.

The whole database's, whichever cluster's collector does it; two may work at once.
"""

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg import errors as driver
from psycopg import sql

from flower_store import disk, horizon, partitions, unused
from flower_store.lifetimes import RetentionSettings
from flower_store.maintenance import Sessions

BATCH = 2_000
"""Rows deleted at once: about 50 ms of work, of which an ingesting collector sees none but the disk's."""

LOCK_TIMEOUT = "SET LOCAL lock_timeout = '100ms'"

COUNTED = 1_000_000
"""Rows past which a preview no longer counts."""

DISK = "disk"
"""The kind of what goes for the disk's sake."""

NAMES = "names"
"""The kind of names that nothing refers to any more."""

NEVER = timedelta(0)


@dataclass(frozen=True, slots=True)
class Gone:
    """What one step deleted of a table, or in a preview would.

    `rows` of a day are an estimate, None where there is none yet; of others they are at most COUNTED in a preview.
    `done` is False where others used the table, and it was left for the next time.
    """

    kind: str
    subject: str
    rows: int | None
    bytes: int | None = None
    done: bool = True


@dataclass(frozen=True, slots=True)
class _Kind:
    """Rows that go by a time of theirs; with `clusters`, an index has them by cluster and then in that order."""

    name: str
    table: str
    time: LiteralString
    kept: timedelta
    clusters: bool = False
    condition: LiteralString = "TRUE"


def steps(store: Sessions, settings: RetentionSettings, now: datetime, stopping: threading.Event) -> Iterator[Gone]:
    """Do it, a step at each `next()`; steps that did nothing are not told. Raises the store's errors."""
    if settings.retention_events and not _reach(store, _log_begins(settings, now), stopping):
        yield Gone("events", "task", None, done=False)
        return
    for kind in _days(settings):
        yield from _drop_days(store, kind, now)
    for kind in _kinds(settings):
        for cluster_id in _clusters(store) if kind.clusters else (0,):
            yield from _delete(store, kind, _cutoff(kind, settings, now), cluster_id)
    if settings.longest:
        for table, rows in unused.steps(store, now - settings.longest, _clusters(store)):
            yield Gone(NAMES, table, rows)
    yield from _shrink(store, settings, now, stopping)


def preview(store: Sessions, settings: RetentionSettings, now: datetime) -> list[Gone]:
    """What `steps` would do as things are, and how much of it."""
    found: list[Gone] = []
    with store.session() as connection:
        for kind in _days(settings):
            found += [
                Gone(kind.name, day.name, day.rows, day.bytes)
                for day in partitions.days(connection, kind.table)
                if day.ends_at <= now - kind.kept
            ]
        counts = [_counted(connection, kind, _cutoff(kind, settings, now)) for kind in _kinds(settings)]
        found += [one for one in counts if one.rows]
        if settings.longest:
            names = unused.preview(connection, now - settings.longest)
            found += [Gone(NAMES, table, rows) for table, rows in names.items() if rows]
        gone = {one.subject for one in found}
        plan = disk.plan(connection, settings.retention_max_bytes, now=now, gone=gone)
        found += [Gone(DISK, day.name, day.rows, day.bytes) for day in plan.days]
        if tasks := _deletable(connection, plan, _horizon_then(connection, settings, plan, now)):
            found.append(Gone(DISK, "task", tasks))
    return found


def _horizon_then(
    connection: psycopg.Connection, settings: RetentionSettings, plan: disk.Plan, now: datetime
) -> datetime | None:
    """Where the log will begin when the steps have come to the tasks."""
    moments = [horizon.read(connection), plan.days[-1].ends_at if plan.days else None]
    moments.append(_log_begins(settings, now) if settings.retention_events else None)
    return max((moment for moment in moments if moment is not None), default=None)


def _deletable(connection: psycopg.Connection, plan: disk.Plan, reached: datetime | None) -> int:
    """How many of the tasks that are too many may go: those that have no event left in the log."""
    if reached is None or not plan.tasks:
        return 0
    old = (_counted(connection, kind, reached, most=plan.tasks).rows or 0 for kind in _oldest())
    return min(plan.tasks, sum(old))


def _reach(store: Sessions, until: datetime, stopping: threading.Event) -> bool:
    """Have the log begin there, before anything of it goes (`horizon.py`); False when that cannot be now."""
    with store.session() as connection:
        return horizon.advance(connection, until, stopping)


def _log_begins(settings: RetentionSettings, now: datetime) -> datetime:
    """The first moment of the oldest day that is kept."""
    oldest = (now - settings.retention_events).astimezone(UTC)
    return oldest.replace(hour=0, minute=0, second=0, microsecond=0)


def _cutoff(kind: _Kind, settings: RetentionSettings, now: datetime) -> datetime:
    """A task goes only after all its events: the log knows them by its row."""
    oldest = now - kind.kept
    return min(oldest, _log_begins(settings, now)) if kind.table == "task" else oldest


def _clusters(store: Sessions) -> list[int]:
    with store.session() as connection:
        return [row[0] for row in connection.execute("SELECT id FROM cluster ORDER BY id")]


def _days(settings: RetentionSettings) -> list[_Kind]:
    kinds = (
        _Kind("events", "task_event", "at", settings.retention_events),
        _Kind("samples", "queue_sample", "at", settings.retention_samples),
    )
    return [kind for kind in kinds if kind.kept]


def _kinds(settings: RetentionSettings) -> list[_Kind]:
    history = settings.retention_history
    kinds = (
        _Kind("events", "task_event_default", _RECEIVED, settings.retention_events, condition=_NOT_REPEATED),
        _Kind("samples", "queue_sample_default", "at", settings.retention_samples),
        *(_Kind("tasks", "task", "seen_at", settings.retention_tasks, True, old) for old in _OLD_TASKS),
        _Kind("failed", "task", "seen_at", settings.retention_failed, True, _OLD_FAILURES),
        *(
            _Kind("minutes", table, "bucket", settings.retention_minutes, True)
            for table in ("rollup_1m", "histogram_1m", "error_1m")
        ),
        *(
            _Kind("hours", table, "bucket", settings.retention_hours, True)
            for table in ("rollup_1h", "rollup_1h_by", "histogram_1h", "histogram_1h_by", "error_1h")
        ),
        _Kind("history", "worker_event", "at", history),
        _Kind("history", "gap", "ended_at", history, True),
        _Kind("history", "collector", "beat_at", history),
        _Kind("aside", "set_aside", "received_at", settings.retention_aside),
        _Kind("audit", "command", "asked_at", settings.retention_audit, condition=_OF_A_MONTH_AGO),
    )
    return [kind for kind in kinds if kind.kept]


# In the default partition are those whose own time says nothing.
_RECEIVED: LiteralString = "(at + make_interval(secs => lag))"

# What a received event repeats goes after it (`repeats.py`), at the next look.
_NOT_REPEATED: LiteralString = """
NOT (type = 1 AND EXISTS (SELECT FROM task_event_default AS other
  WHERE other.task_id = task_event_default.task_id AND other.type = 2 AND other.fields ~ '^-?[0-9]'))
"""

# Else the log's trigger would refuse it, whatever our clock says.
_OF_A_MONTH_AGO: LiteralString = "asked_at < now() - interval '30 days'"

# A task waits for its ETA without a sound: it is not old before that.
_OLD: LiteralString = "last_at < %(cutoff)s AND (due_at IS NULL OR due_at < %(cutoff)s) AND state = "
_OLD_FAILURES: LiteralString = _OLD + "'FAILURE'"
# One state after the other: an index has them so, in the order of their time.
_OLD_TASKS: tuple[LiteralString, ...] = (
    _OLD + "'SUCCESS'",
    _OLD + "'REVOKED'",
    _OLD + "'REJECTED'",
    _OLD + "'RETRY'",
    _OLD + "'STARTED'",
    _OLD + "'RECEIVED'",
    _OLD + "'PENDING'",
    _OLD + "'UNKNOWN'",
)


def _oldest() -> list[_Kind]:
    """Tasks in the order in which they go for want of disk."""
    return [_Kind(DISK, "task", "seen_at", NEVER, True, old) for old in (*_OLD_TASKS, _OLD_FAILURES)]


def _drop_days(store: Sessions, kind: _Kind, now: datetime) -> Iterator[Gone]:
    with store.session() as connection:
        days = [day for day in partitions.days(connection, kind.table) if day.ends_at <= now - kind.kept]
    for day in days:
        yield _drop(store, kind.name, day)


def _drop(store: Sessions, kind: str, day: partitions.Day) -> Gone:
    """Drop it; `done` is False when others use the table just now. Nobody waits for us longer than LOCK_TIMEOUT."""
    with store.session() as connection:
        try:
            with connection.transaction():
                connection.execute(LOCK_TIMEOUT)
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(day.name)))
        except driver.LockNotAvailable:
            return Gone(kind, day.name, day.rows, day.bytes, done=False)
    return Gone(kind, day.name, day.rows, day.bytes)


def _delete(
    store: Sessions, kind: _Kind, cutoff: datetime, cluster_id: int, *, most: float = math.inf
) -> Iterator[Gone]:
    """Batch after batch, each from where the one before ended: what was deleted is not looked at again."""
    floor: datetime | None = None
    while most > 0:
        times = _delete_batch(store, kind, cutoff, floor, cluster_id, most=min(BATCH, most))
        if not times:
            return
        floor = max(times)
        most -= len(times)
        yield Gone(kind.name, kind.table, len(times))


def _delete_batch(
    store: Sessions, kind: _Kind, cutoff: datetime, floor: datetime | None, cluster_id: int, *, most: float
) -> list[datetime]:
    """Delete some; returns their times."""
    statement = sql.SQL(
        "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {condition} ORDER BY {time} "
        "LIMIT %(most)s FOR UPDATE SKIP LOCKED)) RETURNING {time}"
    ).format(condition=_condition(kind, floor), table=sql.Identifier(kind.table), time=sql.SQL(kind.time))
    parameters = {"cutoff": cutoff, "floor": floor, "cluster": cluster_id, "most": int(most)}
    with store.session() as connection, connection.transaction():
        return [row[0] for row in connection.execute(statement, parameters)]


def _condition(kind: _Kind, floor: datetime | None) -> sql.Composed:
    parts: list[LiteralString] = ["{time} < %(cutoff)s", kind.condition]
    if floor is not None:
        parts.append("{time} >= %(floor)s")
    if kind.clusters:
        parts.append("cluster_id = %(cluster)s")
    return sql.SQL(" AND ".join(parts)).format(time=sql.SQL(kind.time))


def _counted(connection: psycopg.Connection, kind: _Kind, cutoff: datetime, *, most: int = COUNTED) -> Gone:
    statement = sql.SQL("SELECT count(*) FROM (SELECT FROM {table} WHERE {condition} LIMIT %(most)s) AS old").format(
        table=sql.Identifier(kind.table), condition=_condition(replace(kind, clusters=False), None)
    )
    row = connection.execute(statement, {"cutoff": cutoff, "most": most}).fetchone()
    return Gone(kind.name, kind.table, row[0] if row else 0)


def _shrink(store: Sessions, settings: RetentionSettings, now: datetime, stopping: threading.Event) -> Iterator[Gone]:
    """The oldest days of events, then the oldest of the tasks that have none left, until the rest fits."""
    if not settings.retention_max_bytes:
        return
    with store.session() as connection:
        plan = disk.plan(connection, settings.retention_max_bytes, now=now)
    if plan.days and not _reach(store, plan.days[-1].ends_at, stopping):
        return
    for day in plan.days:
        yield _drop(store, DISK, day)
    with store.session() as connection:
        reached = horizon.read(connection)
    left = plan.tasks if reached else 0
    for kind in _oldest():
        for cluster_id in _clusters(store):
            for gone in _delete(store, kind, reached or now, cluster_id, most=left):
                left -= gone.rows or 0
                yield gone
