"""Tasks: lists by keyset, one by id, its events, and counts that never hold a page up."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    Table,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    select,
    tuple_,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import ids, marks, packing, states, tables
from flower_store.cursors import Cursor
from flower_store.records import Count, EventRecord, FoundRecord, MarkRecord, Page, TaskRecord, TaskSummary

COUNTED = 10_000
"""Rows counted exactly; a larger count is given as "at least" so many, in bounded time."""

PREVIEW = 200
"""Characters of arguments and errors in a list."""

_T = tables.task.c
_M = tables.task_mark.c


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which tasks, in which order. Texts are exact; a name that ends with `*` is a prefix. `marks` are kinds of marks.

    `sort` is one of `seen`, `name`, `state`, `received`, `started`. `after` pages in the order of `seen` alone;
    `offset` works with each order and costs what it skips.
    """

    cluster_id: int
    states: Sequence[str] = ()
    marks: Sequence[str] = ()
    name: str | None = None
    worker: str | None = None
    queue: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    after: Cursor | None = None
    sort: str = "seen"
    descending: bool = True
    offset: int = 0
    limit: int | None = 50


_SORTS: dict[str, ColumnElement[Any]] = {
    "seen": _T.seen_at,
    "name": tables.task_name.c.name,
    "state": _T.state,
    "received": _T.received_at,
    "started": _T.started_at,
}

_RECONCILED = func.coalesce(_T.reconciled, False)
_ENDED_AT = case(
    (_RECONCILED, null()),
    (_T.state == states.SUCCESS, _T.succeeded_at),
    (_T.state == states.FAILURE, _T.failed_at),
    (_T.state == states.REVOKED, _T.revoked_at),
    (_T.state == states.REJECTED, _T.rejected_at),
)
_ID = func.coalesce(_T.id_text, cast(_T.key, String))
_RETRIES = func.greatest(func.coalesce(_T.sent_retries, 0), func.coalesce(_T.received_retries, 0))
_ERROR = case(
    (and_(_RECONCILED, _T.state == states.FAILURE), _T.found_result),
    (_T.state == states.FAILURE, _T.exception),
    (_T.state == states.RETRY, _T.yielded_exception),
)

_MARK = (_M.kind.label("mark_kind"), _M.reason.label("mark_reason"), _M.since.label("mark_since"))

_SUMMARY = (
    _T.key,
    _ID.label("id"),
    tables.task_name.c.name.label("name"),
    _T.state,
    tables.queue.c.name.label("queue"),
    tables.worker.c.hostname.label("worker"),
    _T.seen_at,
    _T.sent_at,
    _T.received_at,
    _T.started_at,
    _ENDED_AT.label("ended_at"),
    _T.due_at,
    _T.runtime,
    _RETRIES.label("retries"),
    func.left(_T.args, PREVIEW).label("args"),
    func.left(_T.kwargs, PREVIEW).label("kwargs"),
    func.left(_ERROR, PREVIEW).label("error"),
    _RECONCILED.label("reconciled"),
    *_MARK,
)

_PLAIN = (
    "key", "state", "seen_at", "last_at", "last_clock", "args", "kwargs", "eta", "expires", "due_at", "sent_at",
    "exchange", "routing_key", "client", "received_at", "started_at", "yielded_at", "yielded_type",
    "yielded_exception", "yielded_traceback", "succeeded_at", "result", "runtime", "failed_at", "exception",
    "traceback", "revoked_at", "terminated", "expired", "signum", "rejected_at", "custom_at", "custom_type",
    "custom_fields",
)  # fmt: skip

_DETAIL = (
    _ID.label("id"),
    tables.task_name.c.name.label("name"),
    tables.queue.c.name.label("queue"),
    tables.worker.c.hostname.label("worker"),
    func.coalesce(_T.root_text, cast(_T.root_key, String)).label("root_id"),
    func.coalesce(_T.parent_text, cast(_T.parent_key, String)).label("parent_id"),
    _RETRIES.label("retries"),
    *(_T[name] for name in _PLAIN),
    case((_RECONCILED, _T.found_at)).label("found_at"),
    *(_T[name] for name in ("found_state", "found_result", "found_traceback")),
    *_MARK,
)


_HOLDS = and_(
    _M.cluster_id == _T.cluster_id,
    _M.key == _T.key,
    _M.state == _T.state,
    _M.last_at == _T.last_at,
    _M.last_clock == _T.last_clock,
)
"""A mark holds for the state and the last event that it was made for; any later one makes it void."""


async def page(connection: AsyncConnection, query: TaskQuery) -> Page[TaskSummary]:
    """A page of summaries, and the cursor of the next."""
    limit = query.limit or 1
    statement = _ordered(_joined(_SUMMARY), query).limit(limit + 1)
    items = [_summary(row) for row in (await connection.execute(statement)).mappings()]
    more = len(items) > limit
    items = items[:limit]
    last = Cursor(items[-1].seen_at, items[-1].key).token() if more else None
    return Page(items, last)


async def details(connection: AsyncConnection, query: TaskQuery) -> list[TaskRecord]:
    """Whole tasks, in order; for those who ask for all fields of many."""
    statement = _ordered(_joined(_DETAIL), query).offset(query.offset or None).limit(query.limit)
    return await _records(connection, query.cluster_id, statement)


async def by_ids(connection: AsyncConnection, cluster_id: int, task_ids: Collection[str]) -> list[TaskSummary]:
    """Summaries of the tasks with these ids, in no order; ids that are not there are left out."""
    keys = [ids.task_key(task_id) for task_id in task_ids]
    statement = _joined(_SUMMARY).where(_T.cluster_id == cluster_id, _T.key.in_(keys))
    return [_summary(row) for row in (await connection.execute(statement)).mappings()]


async def failures(connection: AsyncConnection, cluster_id: int, *, limit: int) -> list[TaskSummary]:
    """The tasks that failed last, whenever they began; those of which no event told the failure are left out."""
    statement = (
        _joined(_SUMMARY)
        .where(_T.cluster_id == cluster_id, _T.state == states.FAILURE, _T.failed_at.is_not(None))
        .order_by(_T.failed_at.desc(), _T.key.desc())
        .limit(limit)
    )
    return [_summary(row) for row in (await connection.execute(statement)).mappings()]


async def one(connection: AsyncConnection, cluster_id: int, task_id: str) -> TaskRecord | None:
    """One task with everything, or None."""
    statement = _joined(_DETAIL).where(_T.cluster_id == cluster_id, _T.key == ids.task_key(task_id))
    found = await _records(connection, cluster_id, statement)
    return found[0] if found else None


async def events(connection: AsyncConnection, cluster_id: int, task_id: str, *, limit: int = 1000) -> list[EventRecord]:
    """The task's events in the order of their own times."""
    c = tables.task_event.c
    row_id = select(_T.id).where(_T.cluster_id == cluster_id, _T.key == ids.task_key(task_id)).scalar_subquery()
    rows = await connection.execute(
        select(
            c.type, tables.event_type.c.name, c.at, tables.worker.c.hostname, c.pid, c.clock, c.lag,
            tables.task_name.c.name, c.fields,
        )
        .select_from(
            tables.task_event.outerjoin(tables.worker, tables.worker.c.id == c.worker_id)
            .outerjoin(tables.task_name, tables.task_name.c.id == c.name_id)
            .outerjoin(tables.event_type, tables.event_type.c.id == c.type)
        )
        .where(c.task_id == row_id)
        .order_by(c.at, c.clock, c.digest)
        .limit(limit)
    )  # fmt: skip
    return [_event(task_id, *row) for row in rows]


def _event(  # noqa: PLR0917 - a row's columns
    task_id: str,
    code: int,
    kind: str,
    at: datetime,
    worker: str | None,
    pid: int,
    clock: int,
    lag: float,
    name: str | None,
    text: str,
) -> EventRecord:
    fields = packing.unpacked(code, task_id, name, text)
    received_at = at + timedelta(seconds=lag)
    return EventRecord(type=kind, at=at, worker=worker, pid=pid, clock=clock, received_at=received_at, fields=fields)


async def newer(connection: AsyncConnection, query: TaskQuery, than: Cursor, *, limit: int = 1000) -> Count:
    """How many tasks of the query stand before this one in a newest-first list."""
    inner = (
        _filtered(select(literal(1)).select_from(tables.task), query)
        .where(tuple_(_T.seen_at, _T.key) > tuple_(than.seen_at, than.key))
        .limit(limit + 1)
    )
    return await _count(connection, inner, limit)


async def state_counts(connection: AsyncConnection, query: TaskQuery) -> dict[str, Count]:
    """How many tasks of the query are in each state; the query's own states are left aside."""
    found: dict[str, Count] = {}
    for state in states.ALL:
        inner = _filtered(select(literal(1)).select_from(tables.task), query, states_of_query=(state,))
        found[state] = await _count(connection, inner.limit(COUNTED + 1), COUNTED)
    return found


async def mark_counts(connection: AsyncConnection, query: TaskQuery) -> dict[str, Count]:
    """How many tasks of the query bear each mark, all kinds but the absent; its own states and marks are left aside."""
    anything = replace(query, states=(), marks=())
    inner = _filtered(select(_M.kind).select_from(tables.task).join(tables.task_mark, _HOLDS), anything)
    found = inner.limit(COUNTED + 1).subquery()
    rows = await connection.execute(select(found.c.kind, func.count()).group_by(found.c.kind))
    counts: dict[str, int] = {row[0]: row[1] for row in rows}
    exact = sum(counts.values()) <= COUNTED
    return {kind: Count(counts[kind], exact=exact) for kind in marks.KINDS if kind in counts}


async def names(connection: AsyncConnection, cluster_id: int) -> list[str]:
    """Every task name ever seen, sorted."""
    c = tables.task_name.c
    rows = await connection.scalars(select(c.name).where(c.cluster_id == cluster_id).order_by(c.name))
    return list(rows)


async def _count(connection: AsyncConnection, inner: Select[tuple[int]], limit: int) -> Count:
    value = await connection.scalar(select(func.count()).select_from(inner.subquery())) or 0
    return Count(min(value, limit), exact=value <= limit)


async def _records(connection: AsyncConnection, cluster_id: int, statement: Select[Any]) -> list[TaskRecord]:
    rows = (await connection.execute(statement)).mappings().all()
    children = await _children(connection, cluster_id, [row["key"] for row in rows])
    return [_record(row, children[row["key"]]) for row in rows]


def _summary(row: Mapping[Any, Any]) -> TaskSummary:
    values = dict(row)
    return TaskSummary(mark=_mark(values), **values)


def _record(row: Mapping[Any, Any], children: Sequence[str]) -> TaskRecord:
    values = dict(row)
    mark, found = _mark(values), _found(values)
    return TaskRecord(mark=mark, found=found, children=children, **values)


def _mark(values: dict[str, Any]) -> MarkRecord | None:
    """The mark among a row's columns, which are taken out."""
    kind, reason, since = (values.pop(f"mark_{part}") for part in ("kind", "reason", "since"))
    return None if kind is None else MarkRecord(kind, reason, since)


def _found(values: dict[str, Any]) -> FoundRecord | None:
    """What a result backend knew, among a row's columns, which are taken out."""
    state, until, result, traceback = (values.pop(f"found_{part}") for part in ("state", "at", "result", "traceback"))
    return None if until is None else FoundRecord(state, until, result, traceback)


async def _children(connection: AsyncConnection, cluster_id: int, keys: Sequence[UUID]) -> defaultdict[UUID, list[str]]:
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    if keys:
        rows = await connection.execute(
            select(_T.parent_key, _ID.label("id"))
            .where(_T.cluster_id == cluster_id, _T.parent_key.in_(keys))
            .order_by(_T.seen_at, _T.key)
            .limit(10_000)
        )
        for parent, child in rows:
            found[parent].append(child)
    return found


def _joined(columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    return select(*columns).select_from(
        tables.task.outerjoin(tables.task_name, tables.task_name.c.id == _T.name_id)
        .outerjoin(tables.queue, tables.queue.c.id == _T.queue_id)
        .outerjoin(tables.worker, tables.worker.c.id == _T.worker_id)
        .outerjoin(tables.task_mark, _HOLDS)
    )


def _ordered(statement: Select[Any], query: TaskQuery) -> Select[Any]:
    column = _SORTS[query.sort]
    order = (column, _T.key) if query.sort == "seen" else (column, _T.seen_at, _T.key)
    statement = _filtered(statement, query)
    if query.after is not None:
        here = tuple_(_T.seen_at, _T.key)
        there = tuple_(query.after.seen_at, query.after.key)
        statement = statement.where(here < there if query.descending else here > there)
    if query.descending:
        return statement.order_by(
            *(part.desc().nulls_last() if part is column and part is not _T.seen_at else part.desc() for part in order)
        )
    return statement.order_by(*order)


def _filtered(statement: Select[Any], query: TaskQuery, *, states_of_query: Sequence[str] | None = None) -> Select[Any]:
    wanted = query.states if states_of_query is None else states_of_query
    conditions: list[ColumnElement[bool]] = [_T.cluster_id == query.cluster_id]
    if wanted:
        conditions.append(_T.state == wanted[0] if len(wanted) == 1 else _T.state.in_(wanted))
    if query.marks:
        conditions.append(exists().where(_HOLDS, _M.kind.in_(query.marks)).correlate(tables.task))
    if query.name:
        conditions.append(_named(tables.task_name, tables.task_name.c.name, _T.name_id, query.cluster_id, query.name))
    if query.worker:
        conditions.append(_named(tables.worker, tables.worker.c.hostname, _T.worker_id, query.cluster_id, query.worker))
    if query.queue:
        conditions.append(_named(tables.queue, tables.queue.c.name, _T.queue_id, query.cluster_id, query.queue))
    if query.received_from:
        conditions.append(_T.received_at >= query.received_from)
    if query.received_to:
        conditions.append(_T.received_at <= query.received_to)
    return statement.where(and_(*conditions))


def _named(
    table: Table,
    name: ColumnElement[str],
    column: ColumnElement[Any],
    cluster_id: int,
    wanted: str,
) -> ColumnElement[bool]:
    """The condition that a small id stands for this name, or for one that begins like it."""
    inner = select(table.c.id).where(table.c.cluster_id == cluster_id)
    if wanted.endswith("*"):
        return column.in_(inner.where(name.startswith(wanted[:-1], autoescape=True)))
    return column == inner.where(name == wanted).scalar_subquery()
