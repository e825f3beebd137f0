"""What is missing from the history: gaps, what the audit misses, and input that was set aside."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, func, literal, null, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import counting, event_types, states, tables
from flower_store.cursors import Cursor
from flower_store.dimensions import LEASE, OVERFLOW
from flower_store.records import AuditRecord, Count, GapRecord, MissedRecord, Page, SetAsideRecord

_WHOLE = timedelta(hours=1)
"""No row of the audit is longer, but for a single interval."""

COUNTED = 1_000
"""Unfinished tasks of one gap are counted so far."""

_T = tables.task.c
_G = tables.gap.c
_C = tables.completeness.c
_S = tables.set_aside.c

_REPAIRED = func.least(_C.repaired, _C.missing)
"""An event that came after all, of a task that was repaired, lowers what is missing alone."""

_UNFINISHED = (states.PENDING, states.RECEIVED, states.STARTED, states.RETRY)


async def gaps(
    connection: AsyncConnection,
    cluster_id: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: Cursor | None = None,
    limit: int = 20,
) -> Page[GapRecord]:
    """Gaps that touch the interval, the one that ended last first."""
    explained = (
        select(func.sum(_C.missing).label("missing"), func.sum(_REPAIRED).label("repaired"))
        .where(_C.cluster_id == cluster_id, _C.gap_id == _G.id, _C.missing > 0, _C.ended_at > _G.started_at)
        .lateral()
    )
    statement = (
        select(
            _G.id, _G.started_at, _G.ended_at, _G.reason, _G.detail, _G.count, _G.at_least,
            func.coalesce(explained.c.missing, 0).label("missing"),
            func.coalesce(explained.c.repaired, 0).label("repaired"),
            _unfinished(cluster_id).label("unfinished"),
        )
        .join(explained, true())
        .where(_G.cluster_id == cluster_id, *_touching(_G.started_at, _G.ended_at, since, until))
        .order_by(_G.ended_at.desc(), _G.id.desc())
        .limit(limit + 1)
    )  # fmt: skip
    if after is not None:
        statement = statement.where(tuple_(_G.ended_at, _G.id) < tuple_(literal(after.seen_at), after.key.int))
    rows = (await connection.execute(statement)).mappings().all()
    kept = rows[:limit]
    more = Cursor(kept[-1]["ended_at"], UUID(int=kept[-1]["id"])).token() if len(rows) > limit else None
    return Page([_gap(row) for row in kept], more)


def _gap(row: Mapping[Any, Any]) -> GapRecord:
    unfinished = row["unfinished"]
    return GapRecord(
        row["started_at"],
        row["ended_at"],
        row["reason"],
        row["detail"],
        row["count"],
        row["at_least"],
        # A sum of bigint is numeric.
        missing=int(row["missing"]),
        repaired=int(row["repaired"]),
        unfinished=Count(min(unfinished, COUNTED), exact=unfinished <= COUNTED),
    )


def _unfinished(cluster_id: int) -> ScalarSelect[int]:
    """Tasks that may have ended in the gap, counted to a bound: heard of before its end, not since, without an end."""
    inner = (
        select(literal(1))
        .where(_T.cluster_id == cluster_id, _T.state.in_(_UNFINISHED))
        .where(_T.seen_at > _G.started_at - _WHOLE, _T.seen_at <= _G.ended_at, _T.last_at <= _G.ended_at)
        .where(or_(_T.due_at.is_(None), _T.due_at <= _G.ended_at))
        .limit(COUNTED + 1)
        .correlate(tables.gap)
    )
    return select(func.count()).select_from(inner.lateral()).scalar_subquery()


async def missed(
    connection: AsyncConnection,
    cluster_id: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: Cursor | None = None,
    limit: int = 50,
) -> Page[MissedRecord]:
    """What the audit misses by process and interval, the newest first."""
    statement = (
        select(
            tables.worker.c.hostname.label("worker"), literal(1).label("workers"), _C.pid, _C.began_at, _C.ended_at,
            _C.processed.label("started"), _C.missing, _REPAIRED.label("repaired"), _C.cause, _C.gap_id, _C.id,
        )
        .join(tables.worker, tables.worker.c.id == _C.worker_id)
        .where(_C.cluster_id == cluster_id, _C.missing > 0, *_touching(_C.began_at, _C.ended_at, since, until))
        .order_by(_C.ended_at.desc(), _C.id.desc())
        .limit(limit + 1)
    )  # fmt: skip
    if after is not None:
        statement = statement.where(tuple_(_C.ended_at, _C.id) < tuple_(literal(after.seen_at), after.key.int))
    rows = (await connection.execute(statement)).mappings().all()
    kept = rows[:limit]
    more = Cursor(kept[-1]["ended_at"], UUID(int=kept[-1]["id"])).token() if len(rows) > limit else None
    return Page([_missed(row) for row in kept], more)


async def missed_by_cause(
    connection: AsyncConnection, cluster_id: int, since: datetime, until: datetime, *, limit: int = 5
) -> list[MissedRecord]:
    """What the audit misses in the interval, of all workers together, by gap or else by cause, the newest first."""
    rows = await connection.execute(
        select(
            func.min(tables.worker.c.hostname).label("worker"),
            func.count(_C.worker_id.distinct()).label("workers"),
            null().label("pid"),
            func.min(_C.began_at).label("began_at"),
            func.max(_C.ended_at).label("ended_at"),
            *(func.sum(column).label(name) for column, name in _SUMS),
            _C.cause,
            _C.gap_id,
        )
        .join(tables.worker, tables.worker.c.id == _C.worker_id)
        .where(_C.cluster_id == cluster_id, _C.missing > 0, *_touching(_C.began_at, _C.ended_at, since, until))
        .group_by(_C.cause, _C.gap_id)
        .order_by(func.max(_C.ended_at).desc())
        .limit(limit)
    )
    return [_missed(row) for row in rows.mappings()]


async def audit(connection: AsyncConnection, cluster_id: int, since: datetime, until: datetime) -> AuditRecord:
    """All that the audit has weighed of the interval; rows of whole stretches are as long as an hour."""
    sums = (
        await connection.execute(
            select(*(func.coalesce(func.sum(column), 0) for column in (_C.processed, _C.seen, _C.missing, _REPAIRED)))
            .where(_C.cluster_id == cluster_id)
            .where(_C.began_at > since - _WHOLE, _C.began_at < until, _C.ended_at > since)
        )
    ).one()
    last = await connection.scalar(
        select(func.max(tables.process.c.at))
        .join(tables.worker, tables.worker.c.id == tables.process.c.worker_id)
        .where(tables.worker.c.cluster_id == cluster_id)
    )
    started, seen, missing, repaired = map(int, sums)
    unaudited = await _unaudited(connection, cluster_id, since, until)
    return AuditRecord(
        started=started, seen=seen, missing=missing, repaired=repaired, audited_until=last, unaudited=unaudited
    )


async def _unaudited(connection: AsyncConnection, cluster_id: int, since: datetime, until: datetime) -> int | None:
    """Starts of workers past the bound, by whole hours; None where no worker was past it since then."""
    w, r = tables.worker.c, tables.rollup_1h_by.c
    shared = (
        await connection.execute(
            select(w.id, w.used_at).where(w.cluster_id == cluster_id, w.hostname == OVERFLOW, w.used_at > since - LEASE)
        )
    ).first()
    if shared is None:
        return None
    starts = await connection.scalar(
        select(func.coalesce(func.sum(r.count), 0))
        .where(r.cluster_id == cluster_id, r.bucket > since - _WHOLE, r.bucket < until)
        .where(r.by == counting.WORKER, r.id == shared.id, r.type == event_types.NAMES[event_types.STARTED])
    )
    return int(starts or 0) if starts or shared.used_at < until + LEASE else None


async def set_aside(
    connection: AsyncConnection,
    cluster_id: int,
    *,
    reasons: Sequence[str] = (),
    before: int | None = None,
    limit: int = 20,
) -> list[SetAsideRecord]:
    """Input that was set aside, of all reasons or of these, the newest first.

    `before` is the id of the last one of the page before.
    """
    conditions: list[ColumnElement[bool]] = [_S.cluster_id == cluster_id]
    conditions += [_S.reason.in_(reasons)] if reasons else []
    conditions += [] if before is None else [_S.id < before]
    rows = await connection.execute(
        select(_S.id, _S.received_at, _S.reason, _S.detail, _S.routing_key, _S.content_type, _S.body)
        .where(*conditions)
        .order_by(_S.id.desc())
        .limit(limit)
    )
    return [SetAsideRecord(**row) for row in rows.mappings()]


async def set_aside_counts(connection: AsyncConnection, cluster_id: int) -> Mapping[str, int]:
    """Records of set-aside input that are kept, by reason."""
    rows = await connection.execute(
        select(_S.reason, func.count()).where(_S.cluster_id == cluster_id).group_by(_S.reason).order_by(_S.reason)
    )
    return {row[0]: row[1] for row in rows}


_SUMS = ((_C.processed, "started"), (_C.missing, "missing"), (_REPAIRED, "repaired"))


def _touching(
    begins: ColumnElement[Any], ends: ColumnElement[Any], since: datetime | None, until: datetime | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    conditions += [] if since is None else [ends >= since]
    conditions += [] if until is None else [begins < until]
    return conditions


def _missed(row: Mapping[Any, Any]) -> MissedRecord:
    values = {name: row[name] for name in _MISSED}
    # A sum of bigint is numeric.
    values |= {name: int(row[name]) for _, name in _SUMS}
    return MissedRecord(**values)


_MISSED = ("worker", "workers", "pid", "began_at", "ended_at", "cause", "gap_id")
