"""Commands: one by its id, and the log of all, the newest first."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import outbox, tables
from flower_store.cursors import Cursor
from flower_store.outbox import ALIVE_FOR
from flower_store.records import CommandRecord, Page

_M = tables.command.c
_O = tables.collector.c

_CLAIMER_LIVES = func.coalesce(_O.stopped_at.is_(None) & (_O.beat_at > func.now() - ALIVE_FOR), False)

_STATUS: ColumnElement[str] = case(
    (_M.ended_at.is_not(None), _M.outcome),
    (and_(_M.claimed_at.is_(None), _M.expires_at > func.clock_timestamp()), outbox.WAITING),
    (_M.claimed_at.is_(None), outbox.EXPIRED),
    (_CLAIMER_LIVES, outbox.RUNNING),
    else_=outbox.UNKNOWN,
)

COLUMNS = (
    _M.id, _M.kind, _M.target, _M.arguments, _M.actor, _M.origin, _M.reason, _M.asked_at, _M.expires_at,
    _M.claimed_at, _M.ended_at, _STATUS.label("status"), _M.reply, _O.hostname.label("collector"),
)  # fmt: skip
FROM = tables.command.outerjoin(tables.collector, _O.id == _M.claimed_by)


async def one(connection: AsyncConnection, cluster_id: int, command_id: int) -> CommandRecord | None:
    """One command of the cluster, with the answer while that is kept."""
    found = await connection.execute(
        select(*COLUMNS, _M.answer).select_from(FROM).where(_M.cluster_id == cluster_id, _M.id == command_id)
    )
    row = found.mappings().first()
    return _record(row) if row else None


async def page(
    connection: AsyncConnection,
    cluster_id: int,
    *,
    kinds: Collection[str] = (),
    after: Cursor | None = None,
    limit: int = 50,
) -> Page[CommandRecord]:
    """The log, the newest first; lookups, which are no part of it, only where they are asked for by their kind."""
    statement = (
        select(*COLUMNS, literal(None).label("answer"))
        .select_from(FROM)
        .where(_M.cluster_id == cluster_id, _M.kind.in_(kinds) if kinds else _M.kind != outbox.LOOKUP)
        .order_by(_M.asked_at.desc(), _M.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(tuple_(_M.asked_at, _M.id) < tuple_(literal(after.seen_at), after.key.int))
    rows = (await connection.execute(statement)).mappings().all()
    kept = rows[:limit]
    more = place(kept[-1]) if len(rows) > limit else None
    return Page([_record(row) for row in kept], more)


def place(row: Mapping[Any, Any]) -> str:
    """The cursor behind a row."""
    return Cursor(row["asked_at"], UUID(int=row["id"])).token()


def _record(row: Mapping[Any, Any]) -> CommandRecord:
    return CommandRecord(**row)
