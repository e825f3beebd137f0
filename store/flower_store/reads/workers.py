"""Workers, their last answers, and what each has done."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, false, func, literal_column, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import counting, cursors, tables
from flower_store.reads.names import alike
from flower_store.records import Page, WorkerEventRecord, WorkerRecord

_W = tables.worker.c

_NO_LOAD: ColumnElement[list[float]] = literal_column("'{}'::real[]")
_PLAIN = (
    "id", "hostname", "pid", "heartbeat_at", "offline_at", "seen_at", "freq", "active", "processed", "sw_ident",
    "sw_ver", "sw_sys",
)  # fmt: skip
_ONLINE: ColumnElement[bool] = func.coalesce(_W.alive_until > func.now(), false())
_COLUMNS = (
    *(_W[name] for name in _PLAIN),
    _ONLINE.label("online"),
    func.coalesce(_W.heartbeat_clock, 0).label("clock"),
    func.coalesce(_W.loadavg, _NO_LOAD).label("loadavg"),
)


async def workers(
    connection: AsyncConnection, cluster_id: int, *, purge: timedelta | None = None
) -> list[WorkerRecord]:
    """Every worker ever heard of, by name, with its last answers to inspection.

    With `purge` without those that are offline for longer.
    """
    statement = select(*_COLUMNS).where(_W.cluster_id == cluster_id).order_by(_W.hostname)
    if purge is not None:
        statement = statement.where(_W.alive_until > func.now() - purge)
    rows = (await connection.execute(statement)).mappings().all()
    replies = await _replies(connection, cluster_id)
    return [WorkerRecord(**row, **replies[row["id"]]) for row in rows]


async def page(
    connection: AsyncConnection,
    cluster_id: int,
    *,
    matching: str | None,
    online: bool | None,
    after: str | None,
    limit: int,
) -> Page[WorkerRecord]:
    """Workers in the order of their names' letters' codes, without their answers to inspection but when they came."""
    ordered = _W.hostname.collate("C")
    statement = select(*_COLUMNS).where(_W.cluster_id == cluster_id).order_by(ordered).limit(limit + 1)
    if matching is not None:
        statement = statement.where(alike(_W.hostname, matching))
    if online is not None:
        statement = statement.where(_ONLINE.is_(online))
    if after is not None:
        statement = statement.where(ordered > after)
    rows = (await connection.execute(statement)).mappings().all()
    kept = rows[:limit]
    replied = await _replied_at(connection, [row["id"] for row in kept])
    items = [WorkerRecord(**row, replies={}, replied_at=replied.get(row["id"])) for row in kept]
    return Page(items, cursors.text_token(items[-1].hostname) if len(rows) > limit else None)


async def one(connection: AsyncConnection, cluster_id: int, hostname: str) -> WorkerRecord | None:
    """One worker with its last answers to inspection."""
    statement = select(*_COLUMNS).where(_W.cluster_id == cluster_id, _W.hostname == hostname)
    row = (await connection.execute(statement)).mappings().first()
    if row is None:
        return None
    return WorkerRecord(**row, **(await _replies(connection, cluster_id, row["id"]))[row["id"]])


async def ids(connection: AsyncConnection, cluster_id: int, matching: str) -> list[int]:
    """The small ids of the workers that match."""
    statement = select(_W.id).where(_W.cluster_id == cluster_id, alike(_W.hostname, matching))
    return list(await connection.scalars(statement))


async def history(
    connection: AsyncConnection, worker_id: int, *, before: int | None, limit: int
) -> list[WorkerEventRecord]:
    """A worker's comings and goings as they were written, the last one first."""
    e = tables.worker_event.c
    statement = select(e.id, e.type, e.at, e.pid).where(e.worker_id == worker_id).order_by(e.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(e.id < before)
    return [WorkerEventRecord(**row) for row in (await connection.execute(statement)).mappings()]


async def _replied_at(connection: AsyncConnection, worker_ids: list[int]) -> Mapping[int, datetime]:
    a = tables.worker_reply.c
    rows = await connection.execute(
        select(a.worker_id, func.max(a.replied_at)).where(a.worker_id.in_(worker_ids)).group_by(a.worker_id)
    )
    return {row[0]: row[1] for row in rows}


async def known(connection: AsyncConnection, cluster_id: int, hostname: str) -> bool:
    """Whether this worker was ever heard of."""
    if "\0" in hostname:
        return False
    found = select(_W.id).where(_W.cluster_id == cluster_id, _W.hostname == hostname)
    return (await connection.execute(found)).first() is not None


async def task_known(connection: AsyncConnection, cluster_id: int, name: str) -> bool:
    """Whether a worker has registered this task, or, where no worker ever told of its tasks, it was ever seen."""
    if "\0" in name:
        return False
    row = await connection.execute(_TASK_KNOWN, {"cluster": cluster_id, "name": name})
    return bool(row.scalar())


# An entry is a name, and behind it what is set of the task, such as "tasks.add [rate_limit=10/m]".
_TASK_KNOWN = text("""
WITH told AS (
  SELECT reply FROM worker_reply JOIN worker ON worker.id = worker_id
  WHERE cluster_id = :cluster AND method = 'registered' AND jsonb_typeof(reply) = 'array'
)
SELECT CASE WHEN EXISTS (SELECT FROM told)
  THEN EXISTS (SELECT FROM told, jsonb_array_elements_text(reply) AS entry WHERE split_part(entry, ' [', 1) = :name)
  ELSE EXISTS (SELECT FROM task_name WHERE cluster_id = :cluster AND name = :name)
END
""")


async def counts(connection: AsyncConnection, cluster_id: int) -> dict[str, Mapping[str, int]]:
    """Events by worker and type, over all time that the rollups cover."""
    r = tables.rollup_1h_by.c
    rows = await connection.execute(
        select(_W.hostname, r.type, func.sum(r.count))
        .select_from(tables.rollup_1h_by.join(tables.worker, _W.id == r.id))
        .where(r.cluster_id == cluster_id, r.by == counting.WORKER)
        .group_by(_W.hostname, r.type)
    )
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for hostname, kind, count in rows:
        found[hostname][kind] = int(count)
    return dict(found)


async def _replies(
    connection: AsyncConnection, cluster_id: int, worker_id: int | None = None
) -> defaultdict[int, dict[str, Any]]:
    a = tables.worker_reply.c
    rows = await connection.execute(
        select(a.worker_id, a.method, a.reply, a.replied_at)
        .select_from(tables.worker_reply.join(tables.worker, _W.id == a.worker_id))
        .where(_W.cluster_id == cluster_id, true() if worker_id is None else a.worker_id == worker_id)
    )
    found: defaultdict[int, dict[str, Any]] = defaultdict(lambda: {"replies": {}, "replied_at": None})
    for row_id, method, reply, replied_at in rows:
        of_worker = found[row_id]
        of_worker["replies"][method] = reply
        of_worker["replied_at"] = _later(of_worker["replied_at"], replied_at)
    return found


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
