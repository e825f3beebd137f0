"""Flower's search as conditions of SQL, and the tasks that it finds.

The conditions never leave out a task that Flower would find. Where they cannot tell (`texts.py`, and
`kwargs:key=value`, which takes Python's own literals), each row is looked at again in Python.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, cast, false, func, literal, not_, null, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import flower_query, states, tables
from flower_store.cursors import Cursor
from flower_store.flower_query import And, Document, Expression, Or, Term
from flower_store.reads import task_query, task_rows, tasks, texts
from flower_store.reads.task_query import TaskQuery
from flower_store.records import Count, TaskRecord

COUNTED = 100_000
"""So many tasks Flower kept, unless it was told otherwise; what matches is counted so far."""

CHUNK = 500

_T = tables.task.c
_PLAIN = re.compile(r"[a-z0-9_.@/-]+")
_HEXADECIMAL = re.compile(r"[0-9a-f-]+")

RESULT = case(
    (task_rows.RECONCILED, case((_T.state == states.SUCCESS, _T.found_result), else_=null())), else_=_T.result
)
"""The text that Flower's documents have as `result`."""

_TEXTS: Mapping[str, ColumnElement[Any]] = {"args": _T.args, "kwargs": _T.kwargs, "result": RESULT}
_DIMENSIONS: Mapping[str, tuple[ColumnElement[Any], ColumnElement[Any], ColumnElement[Any], ColumnElement[Any]]] = {
    "name": (_T.name_id, tables.task_name.c.id, tables.task_name.c.name, tables.task_name.c.cluster_id),
    "worker": (_T.worker_id, tables.worker.c.id, tables.worker.c.hostname, tables.worker.c.cluster_id),
}


async def found(
    connection: AsyncConnection, query: TaskQuery, expression: Expression | None, *, limit: int
) -> AsyncGenerator[list[TaskRecord]]:
    """Whole tasks in the query's order, from its offset, at most `limit`, by the chunk.

    The connection must see one moment: rows that came in between would push others from one chunk into the next.
    """
    skip = 0
    if expression is not None:
        skip, query = query.offset, replace(query, offset=0)
        query = replace(query, where=(*query.where, await _condition(connection, query.cluster_id, expression)))
    wanted = min(limit + skip, CHUNK)
    while limit > 0:
        records = await tasks.details(connection, replace(query, limit=wanted))
        kept = [
            record for record in records if expression is None or flower_query.matches(expression, _document(record))
        ]
        given = kept[skip : skip + limit]
        skip = max(0, skip - len(kept))
        limit -= len(given)
        if given:
            yield given
        if len(records) < wanted:
            return
        query = _behind(query, records)
        # Where Python looks again, it may refuse most of a chunk: a chunk of what is left would take ever more of them.
        wanted = min(limit + skip, CHUNK) if expression is None else CHUNK


async def count(connection: AsyncConnection, query: TaskQuery, expression: Expression | None) -> Count:
    """How many tasks match, to a bound."""
    if expression is None:
        return await _count(connection, query)
    maybe = await _condition(connection, query.cluster_id, expression)
    sure = await _condition(connection, query.cluster_id, expression, sure=True)
    certain = await _count(connection, replace(query, where=(*query.where, sure)))
    doubtful = replace(query, where=(*query.where, maybe, not_(func.coalesce(sure, False))))
    statement = task_query.filtered(task_rows.joined(task_rows.DETAIL), doubtful)
    rows = await connection.stream(statement.limit(COUNTED + 1))
    seen = 0
    async for row in rows.mappings():
        seen += _matches(expression, task_rows.record(row, ()))
    total = certain.value + seen
    return Count(min(total, COUNTED), exact=certain.exact and total <= COUNTED)


async def _count(connection: AsyncConnection, query: TaskQuery) -> Count:
    inner = task_query.filtered(select(literal(1)).select_from(tables.task), query).limit(COUNTED + 1)
    value = await connection.scalar(select(func.count()).select_from(inner.subquery())) or 0
    return Count(min(value, COUNTED), exact=value <= COUNTED)


def _behind(query: TaskQuery, records: list[TaskRecord]) -> TaskQuery:
    if query.sort == "seen":
        return replace(query, after=Cursor(records[-1].seen_at, records[-1].key), offset=0)
    return replace(query, offset=query.offset + len(records))


def _matches(expression: Expression | None, record: TaskRecord) -> bool:
    return expression is None or flower_query.matches(expression, _document(record))


def _document(record: TaskRecord) -> Document:
    result = record.result
    if record.found is not None:
        result = record.found.result if record.found.state == states.SUCCESS else None
    return Document(
        uuid=record.id,
        name=record.name or "",
        state=record.state,
        worker=record.worker or "",
        args=record.args or "",
        kwargs=record.kwargs or "",
        result=result or "",
    )


async def _condition(
    connection: AsyncConnection, cluster_id: int, expression: Expression, *, sure: bool = False
) -> ColumnElement[bool]:
    """Never leaves out what matches; with `sure` it never lets in what does not."""
    match expression:
        case And(children):
            return and_(*[await _condition(connection, cluster_id, child, sure=sure) for child in children])
        case Or(children):
            return or_(*[await _condition(connection, cluster_id, child, sure=sure) for child in children])
        case Term(None, value):
            fields = [await _field(connection, cluster_id, Term(field, value), sure) for field in flower_query.FIELDS]
            return or_(_id(value, sure=sure), *fields)
        case Term():
            return await _field(connection, cluster_id, expression, sure)


async def _field(connection: AsyncConnection, cluster_id: int, term: Term, sure: bool) -> ColumnElement[bool]:
    field, value = str(term.field), term.value
    if term.how == "pair":
        return false() if sure else _pair(value)
    compare = texts.equals if term.how == "whole" else texts.has
    if field == "state":
        return _T.state.in_([one for one in states.ALL if _is(one.casefold(), term)])
    if field in _TEXTS:
        return compare(_TEXTS[field], value, sure=sure)
    small, row_id, name, cluster = _DIMENSIONS[field]
    # Their ids first: the planner then knows how many tasks each has.
    rows = await connection.scalars(select(row_id).where(cluster == cluster_id, compare(name, value, sure=sure)))
    return small.in_(list(rows))


def _is(state: str, term: Term) -> bool:
    return state == term.value if term.how == "whole" else term.value in state


def _pair(pair: str) -> ColumnElement[bool]:
    """Arguments that may hold the pair: a plain key or value stands in them as it is, since Celery writes literals."""
    key, _, item = pair.partition("=")
    plain = [part for part in (key, item) if _PLAIN.fullmatch(part)]
    parts = [texts.has(_T.kwargs, part) for part in plain]
    if len(plain) == 2:  # noqa: PLR2004 - both: then they stand side by side
        beside = rf"{re.escape(key)}['\"]?\s*:\s*b?['\"]?{re.escape(item)}"
        parts.append(or_(texts.lowered(_T.kwargs).regexp_match(beside), *texts.doubts(_T.kwargs, *plain)))
    return and_(_T.kwargs.is_not(None), *parts)


def _id(value: str, *, sure: bool) -> ColumnElement[bool]:
    odd = texts.has(_T.id_text, value, sure=sure)
    if not _HEXADECIMAL.fullmatch(value):
        return odd
    return or_(odd, and_(_T.id_text.is_(None), cast(_T.key, String).contains(value, autoescape=True)))
