"""The audit log: what was asked of any cluster, and who came in or was refused; the newest first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import audit, outbox, tables
from flower_store.cursors import Cursor
from flower_store.reads import commands
from flower_store.records import EntryRecord, Page

KINDS = (*(kind for kind in outbox.KINDS if kind != outbox.LOOKUP), *audit.KINDS)
"""Every kind of its rows. A look for a result changes nothing, and is none."""

_M = tables.command.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which rows: of these kinds, of this actor, of this cluster, asked in this time; None and nothing are all."""

    kinds: Collection[str] = ()
    actor: str | None = None
    cluster_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


async def page(
    connection: AsyncConnection, asked: Asked, *, after: Cursor | None = None, limit: int = 50
) -> Page[EntryRecord]:
    """One page of it."""
    slug = tables.cluster.c.slug
    statement = (
        select(*commands.COLUMNS, literal(None).label("answer"), slug.label("cluster"))
        .select_from(commands.FROM.outerjoin(tables.cluster, tables.cluster.c.id == _M.cluster_id))
        .where(_M.kind.in_(asked.kinds) if asked.kinds else _M.kind != outbox.LOOKUP)
        .order_by(_M.asked_at.desc(), _M.id.desc())
        .limit(limit + 1)
    )
    if asked.actor is not None:
        statement = statement.where(_M.actor == asked.actor)
    if asked.cluster_id is not None:
        statement = statement.where(_M.cluster_id == asked.cluster_id)
    if asked.since is not None:
        statement = statement.where(_M.asked_at >= asked.since)
    if asked.until is not None:
        statement = statement.where(_M.asked_at < asked.until)
    if after is not None:
        statement = statement.where(tuple_(_M.asked_at, _M.id) < tuple_(literal(after.seen_at), after.key.int))
    rows = (await connection.execute(statement)).mappings().all()
    kept = rows[:limit]
    more = commands.place(kept[-1]) if len(rows) > limit else None
    return Page([EntryRecord(**row) for row in kept], more)
