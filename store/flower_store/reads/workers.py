"""Workers, their last answers, and what each has done."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import tables
from flower_store.records import WorkerRecord

_W = tables.worker.c

_NO_LOAD: ColumnElement[list[float]] = literal_column("'{}'::real[]")
_PLAIN = (
    "id", "hostname", "pid", "heartbeat_at", "offline_at", "seen_at", "freq", "active", "processed", "sw_ident",
    "sw_ver", "sw_sys",
)  # fmt: skip
_COLUMNS = (
    *(_W[name] for name in _PLAIN),
    func.coalesce(_W.alive_until > func.now(), False).label("online"),
    func.coalesce(_W.loadavg, _NO_LOAD).label("loadavg"),
)


async def workers(connection: AsyncConnection, cluster_id: int) -> list[WorkerRecord]:
    """Every worker ever heard of, by name, with its last answers to inspection."""
    rows = (
        (await connection.execute(select(*_COLUMNS).where(_W.cluster_id == cluster_id).order_by(_W.hostname)))
        .mappings()
        .all()
    )
    replies = await _replies(connection, cluster_id)
    return [WorkerRecord(**row, **replies[row["id"]]) for row in rows]


async def counts(connection: AsyncConnection, cluster_id: int) -> dict[str, Mapping[str, int]]:
    """Events by worker and type, over all time that the rollups cover."""
    r = tables.rollup_1h.c
    rows = await connection.execute(
        select(_W.hostname, r.type, func.sum(r.count))
        .select_from(tables.rollup_1h.join(tables.worker, _W.id == r.worker_id))
        .where(r.cluster_id == cluster_id)
        .group_by(_W.hostname, r.type)
    )
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for hostname, kind, count in rows:
        found[hostname][kind] = int(count)
    return dict(found)


async def _replies(connection: AsyncConnection, cluster_id: int) -> defaultdict[int, dict[str, Any]]:
    a = tables.worker_reply.c
    rows = await connection.execute(
        select(a.worker_id, a.method, a.reply, a.replied_at)
        .select_from(tables.worker_reply.join(tables.worker, _W.id == a.worker_id))
        .where(_W.cluster_id == cluster_id)
    )
    found: defaultdict[int, dict[str, Any]] = defaultdict(lambda: {"replies": {}, "replied_at": None})
    for worker_id, method, reply, replied_at in rows:
        of_worker = found[worker_id]
        of_worker["replies"][method] = reply
        of_worker["replied_at"] = _later(of_worker["replied_at"], replied_at)
    return found


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
