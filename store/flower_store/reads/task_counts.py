"""Counts of tasks that never hold a page up: exact to a bound, and "at least" so many above it."""

from dataclasses import replace

from sqlalchemy import ClauseElement, Executable, Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from flower_store import marks, states, tables
from flower_store.cursors import Cursor
from flower_store.reads import task_query, task_rows
from flower_store.reads.task_query import TaskQuery
from flower_store.records import Count

COUNTED = 10_000
"""Rows counted exactly; a larger count is given as "at least" so many, in bounded time."""

_T = tables.task.c
_M = tables.task_mark.c


async def newer(connection: AsyncConnection, query: TaskQuery, than: Cursor, *, limit: int = 1000) -> Count:
    """How many tasks of the query stand before this one in a newest-first list."""
    inner = (
        task_query.filtered(select(literal(1)).select_from(tables.task), query)
        .where(tuple_(_T.seen_at, _T.key) > tuple_(than.seen_at, than.key))
        .limit(limit + 1)
    )
    return await _count(connection, inner, limit)


async def state_counts(connection: AsyncConnection, query: TaskQuery) -> dict[str, Count]:
    """How many tasks of the query are in each state; the query's own states are left aside."""
    found: dict[str, Count] = {}
    for state in states.ALL:
        inner = task_query.filtered(select(literal(1)).select_from(tables.task), query, states_of_query=(state,))
        found[state] = await _count(connection, inner.limit(COUNTED + 1), COUNTED)
    return found


async def total(connection: AsyncConnection, query: TaskQuery) -> Count:
    """How many tasks match: exact to the bound, and above it the planner's estimate."""
    inner = task_query.filtered(select(literal(1)).select_from(tables.task), query)
    return await _estimated(connection, inner)


async def estimated_by_state(connection: AsyncConnection, query: TaskQuery) -> dict[str, Count]:
    """The same by state; the query's own `states` are left aside."""
    found: dict[str, Count] = {}
    for state in states.ALL:
        inner = task_query.filtered(select(literal(1)).select_from(tables.task), query, states_of_query=(state,))
        found[state] = await _estimated(connection, inner)
    return found


async def _estimated(connection: AsyncConnection, inner: Select[tuple[int]]) -> Count:
    count = await _count(connection, inner.limit(COUNTED + 1), COUNTED)
    if count.exact:
        return count
    plans = await connection.scalar(_Explain(inner))
    return Count(max(int(plans[0]["Plan"]["Plan Rows"]), COUNTED + 1), exact=False)


class _Explain(Executable, ClauseElement):
    """What the planner expects of a statement."""

    inherit_cache = False

    def __init__(self, statement: Select[tuple[int]]) -> None:
        self.statement = statement


@compiles(_Explain)
def _explained(element: _Explain, compiler: SQLCompiler, **options: object) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **options)}"


async def mark_counts(connection: AsyncConnection, query: TaskQuery) -> dict[str, Count]:
    """How many tasks of the query bear each mark, all kinds but the absent; its own states and marks are left aside."""
    anything = replace(query, states=(), marks=())
    inner = task_query.filtered(
        select(_M.kind).select_from(tables.task).join(tables.task_mark, task_rows.HOLDS), anything
    )
    found = inner.limit(COUNTED + 1).subquery()
    rows = await connection.execute(select(found.c.kind, func.count()).group_by(found.c.kind))
    counts: dict[str, int] = {row[0]: row[1] for row in rows}
    exact = sum(counts.values()) <= COUNTED
    return {kind: Count(counts[kind], exact=exact) for kind in marks.KINDS if kind in counts}


async def _count(connection: AsyncConnection, inner: Select[tuple[int]], limit: int) -> Count:
    value = await connection.scalar(select(func.count()).select_from(inner.subquery())) or 0
    return Count(min(value, limit), exact=value <= limit)
