"""Clusters and their collectors."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import cursors, findings, tables
from flower_store.cursors import Cursor
from flower_store.outbox import ALIVE_FOR
from flower_store.records import ClusterRecord, CollectorRecord, Page

_O = tables.collector.c
_CLUSTER = (
    tables.cluster.c.id,
    tables.cluster.c.slug,
    tables.cluster.c.transport,
    tables.cluster.c.broker,
)

_COLLECTOR: tuple[ColumnElement[Any], ...] = (
    _O.hostname, _O.pid, _O.version, _O.promise, _O.started_at, _O.beat_at, _O.stopped_at,
    ((_O.beat_at > func.now() - ALIVE_FOR) & _O.stopped_at.is_(None)).label("alive"), _O.stored, _O.set_aside,
    func.make_interval(0, 0, 0, 0, 0, 0, _O.lag).label("lag"), _O.broker_away_at, _O.findings,
)  # fmt: skip


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
    statement = select(*_COLLECTOR).where(_O.cluster_id == cluster_id).order_by(_O.beat_at.desc()).limit(limit)
    return [_collector(row) for row in (await connection.execute(statement)).mappings()]


async def collector_page(
    connection: AsyncConnection, cluster_id: int, *, after: Cursor | None = None, limit: int = 20
) -> Page[CollectorRecord]:
    """The cluster's collectors, the one that started last first: an order in which a beat moves none."""
    ordered = (_O.started_at.desc(), _O.id.desc())
    statement = select(_O.id, *_COLLECTOR).where(_O.cluster_id == cluster_id).order_by(*ordered)
    if after is not None:
        statement = statement.where(tuple_(_O.started_at, _O.id) < tuple_(literal(after.seen_at), after.key))
    rows = [dict(row) for row in (await connection.execute(statement.limit(limit + 1))).mappings()]
    places = [Cursor(row["started_at"], row.pop("id")) for row in rows]
    kept = [_collector(row) for row in rows[:limit]]
    return Page(kept, places[limit - 1].token() if len(rows) > limit else None)


def _collector(row: Mapping[Any, Any]) -> CollectorRecord:
    values: dict[str, Any] = dict(row)
    values["findings"] = findings.records(values["findings"])
    return CollectorRecord(**values)
