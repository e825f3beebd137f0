"""Clusters and their collectors."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import cursors, findings, tables
from flower_store.records import ClusterRecord, CollectorRecord, Page

ALIVE_FOR = timedelta(seconds=10)
"""A collector beats every two seconds; five missed beats and it counts as gone."""

_CLUSTER = (
    tables.cluster.c.id,
    tables.cluster.c.slug,
    tables.cluster.c.transport,
    tables.cluster.c.broker,
)


async def clusters(connection: AsyncConnection) -> list[ClusterRecord]:
    """All clusters, in the order of their names."""
    rows = await connection.execute(select(*_CLUSTER).order_by(tables.cluster.c.slug))
    return [ClusterRecord(*row) for row in rows]


async def page(
    connection: AsyncConnection, *, after: str | None, limit: int, among: Collection[str] | None = None
) -> Page[ClusterRecord]:
    """Clusters in the order of their names' letters' codes; all, or those `among` these names."""
    ordered = tables.cluster.c.slug.collate("C")
    statement = select(*_CLUSTER).order_by(ordered).limit(limit + 1)
    if after is not None:
        statement = statement.where(ordered > after)
    if among is not None:
        statement = statement.where(tables.cluster.c.slug.in_(among))
    found = [ClusterRecord(*row) for row in await connection.execute(statement)]
    kept = found[:limit]
    return Page(kept, cursors.text_token(kept[-1].slug) if len(found) > limit else None)


async def cluster(connection: AsyncConnection, slug: str) -> ClusterRecord | None:
    """One cluster by its name in addresses."""
    row = (await connection.execute(select(*_CLUSTER).where(tables.cluster.c.slug == slug))).first()
    return ClusterRecord(*row) if row else None


async def collectors(connection: AsyncConnection, cluster_id: int, *, limit: int = 20) -> list[CollectorRecord]:
    """The cluster's collectors, the one heard of last first."""
    c = tables.collector.c
    alive = (c.beat_at > func.now() - ALIVE_FOR) & c.stopped_at.is_(None)
    rows = await connection.execute(
        select(
            c.hostname, c.pid, c.version, c.promise, c.started_at, c.beat_at, c.stopped_at,
            alive.label("alive"), c.stored, c.set_aside,
            func.make_interval(0, 0, 0, 0, 0, 0, c.lag).label("lag"), c.broker_away_at, c.findings,
        )
        .where(c.cluster_id == cluster_id)
        .order_by(c.beat_at.desc())
        .limit(limit)
    )  # fmt: skip
    return [_collector(row) for row in rows.mappings()]


def _collector(row: Mapping[Any, Any]) -> CollectorRecord:
    values: dict[str, Any] = dict(row)
    values["findings"] = findings.records(values["findings"])
    return CollectorRecord(**values)
