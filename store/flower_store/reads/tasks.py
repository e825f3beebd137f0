"""Tasks: lists by keyset, one by id, and its events."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from flower_store import event_types, ids, packing, states, tables
from flower_store.cursors import Cursor
from flower_store.reads import task_query, task_rows
from flower_store.reads.task_query import TaskQuery
from flower_store.records import EventRecord, Page, RelationsRecord, TaskRecord, TaskSummary

_T = tables.task.c


async def page(connection: AsyncConnection, query: TaskQuery) -> Page[TaskSummary]:
    """A page of summaries, and the cursor of the next."""
    limit = query.limit or 1
    statement = _chosen(task_rows.joined(task_rows.SUMMARY), replace(query, limit=limit + 1))
    items = [task_rows.summary(row) for row in task_rows.rows(await connection.execute(statement))]
    more = len(items) > limit
    items = items[:limit]
    last = Cursor(items[-1].seen_at, items[-1].key).token() if more else None
    return Page(items, last)


async def details(connection: AsyncConnection, query: TaskQuery) -> list[TaskRecord]:
    """Whole tasks, in order; for those who ask for all fields of many."""
    statement = task_rows.joined(task_rows.DETAIL)
    if query.sort == "seen" and not query.offset:  # then nothing is joined in vain
        statement = _cut(task_query.ordered(statement, query), query)
    else:
        statement = _chosen(statement, query)
    return await _records(connection, query.cluster_id, statement)


def _chosen(statement: Select[Any], query: TaskQuery) -> Select[Any]:
    """The tasks of the query in its order: which ones first, and then their names.

    Where many match and are sorted or passed over, only a page of them is joined.
    """
    if query.sort not in task_query.BY_NAMES:
        keys = _cut(task_query.ordered(select(_T.key).select_from(tables.task), query), query).correlate(None)
        query = TaskQuery(
            cluster_id=query.cluster_id,
            where=[_T.key.in_(keys)],
            sort=query.sort,
            descending=query.descending,
            limit=query.limit,
        )
    return _cut(task_query.ordered(statement, query), query)


def _cut(statement: Select[Any], query: TaskQuery) -> Select[Any]:
    return statement.offset(query.offset or None).limit(query.limit)


async def by_ids(connection: AsyncConnection, cluster_id: int, task_ids: Collection[str]) -> list[TaskSummary]:
    """Summaries of the tasks with these ids, in no order; ids that are not there are left out."""
    keys = [ids.task_key(task_id) for task_id in task_ids]
    statement = task_rows.joined(task_rows.SUMMARY).where(_T.cluster_id == cluster_id, _T.key.in_(keys))
    return [task_rows.summary(row) for row in task_rows.rows(await connection.execute(statement))]


async def failures(connection: AsyncConnection, cluster_id: int, *, limit: int) -> list[TaskSummary]:
    """The tasks that failed last, whenever they began; those of which no event told the failure are left out."""
    statement = (
        task_rows.joined(task_rows.SUMMARY)
        .where(_T.cluster_id == cluster_id, _T.state == states.FAILURE, _T.failed_at.is_not(None))
        .order_by(_T.failed_at.desc(), _T.key.desc())
        .limit(limit)
    )
    return [task_rows.summary(row) for row in task_rows.rows(await connection.execute(statement))]


async def one(connection: AsyncConnection, cluster_id: int, task_id: str) -> TaskRecord | None:
    """One task with everything, or None."""
    statement = task_rows.joined(task_rows.DETAIL).where(_T.cluster_id == cluster_id, _T.key == ids.task_key(task_id))
    found = await _records(connection, cluster_id, statement)
    return found[0] if found else None


async def relations(
    connection: AsyncConnection, cluster_id: int, record: TaskRecord, *, most: int = 500
) -> RelationsRecord:
    """Its root, unless it is the task itself, its parent, and the first of its children."""
    wanted = {one for one in (record.root_id, record.parent_id) if one is not None and one != record.id}
    found = {one.id: one for one in await by_ids(connection, cluster_id, wanted)} if wanted else {}
    statement = (
        task_rows.joined(task_rows.SUMMARY)
        .where(_T.cluster_id == cluster_id, _T.parent_key == record.key, _T.key != record.key)
        .order_by(_T.seen_at, _T.key)
        .limit(most + 1)
    )
    children = [task_rows.summary(row) for row in task_rows.rows(await connection.execute(statement))]
    return RelationsRecord(
        root=found.get(record.root_id or ""),
        parent=found.get(record.parent_id or ""),
        children=children[:most],
        more_children=len(children) > most,
    )


async def events(connection: AsyncConnection, cluster_id: int, task_id: str, *, limit: int = 1000) -> list[EventRecord]:
    """The task's events in the order of their own times."""
    c = tables.task_event.c
    row_id = select(_T.id).where(_T.cluster_id == cluster_id, _T.key == ids.task_key(task_id)).scalar_subquery()
    rows = await connection.execute(
        select(
            c.type, tables.event_type.c.name, c.at, tables.worker.c.hostname, c.pid, c.clock, c.lag,
            tables.task_name.c.name, c.fields, _sent_of(c),
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


def _sent_of(c: ReadOnlyColumnCollection[str, Any]) -> ColumnElement[str | None]:
    """The packed fields of the sent event that a received one repeats (`repeats.py`)."""
    sent = tables.task_event.alias("sent")
    before = cast(c.fields, BigInteger) * literal_column("interval '1 microsecond'")
    found = select(sent.c.fields).where(
        sent.c.task_id == c.task_id,
        sent.c.type == event_types.SENT,
        sent.c.at == c.at - before,
        func.left(sent.c.fields, 1) == "[",
    )
    repeats = (c.type == event_types.RECEIVED) & c.fields.regexp_match("^-?[0-9]")
    return case((repeats, found.scalar_subquery()))


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
    sent: str | None,
) -> EventRecord:
    fields = packing.unpacked(code, task_id, name, text, sent=sent)
    received_at = at + timedelta(seconds=lag)
    return EventRecord(type=kind, at=at, worker=worker, pid=pid, clock=clock, received_at=received_at, fields=fields)


async def names(connection: AsyncConnection, cluster_id: int) -> list[str]:
    """Every task name ever seen, sorted."""
    c = tables.task_name.c
    rows = await connection.scalars(select(c.name).where(c.cluster_id == cluster_id).order_by(c.name))
    return list(rows)


async def _records(connection: AsyncConnection, cluster_id: int, statement: Select[Any]) -> list[TaskRecord]:
    rows = task_rows.rows(await connection.execute(statement))
    children = await _children(connection, cluster_id, [row["key"] for row in rows])
    return [task_rows.record(row, children[row["key"]]) for row in rows]


async def _children(connection: AsyncConnection, cluster_id: int, keys: Sequence[UUID]) -> defaultdict[UUID, list[str]]:
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    if keys:
        rows = await connection.execute(
            select(_T.parent_key, task_rows.ID.label("id"))
            .where(_T.cluster_id == cluster_id, _T.parent_key.in_(keys))
            .order_by(_T.seen_at, _T.key)
            .limit(10_000)
        )
        for parent, child in rows:
            found[parent].append(child)
    return found
