"""Which tasks are meant and in which order: conditions and keysets over the columns of `task`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, Table, and_, cast, exists, func, select, tuple_

from flower_store import tables, task_indexes
from flower_store.cursors import Cursor
from flower_store.reads import task_rows

_T = tables.task.c
_M = tables.task_mark.c
_TEXTS = ("args", "kwargs", "result", "exception", "traceback", "exchange", "routing_key", "client", "eta", "expires")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which tasks, in which order. Texts are exact; a name that ends with `*` is a prefix. `marks` are kinds of marks.

    `sort` is a key of SORTS. `after` pages in the order of `seen` alone;
    `offset` works with each order and costs what it skips. `where` are conditions that `matching` and `flower_matching`
    made of a text.
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
    where: Sequence[ColumnElement[bool]] = ()


def _folded(column: ColumnElement[Any]) -> ColumnElement[str]:
    return func.lower(cast(column, String).collate("C"))


SORTS: Mapping[str, ColumnElement[Any]] = {
    "seen": _T.seen_at,
    "id": task_rows.ID,
    "uuid": task_rows.ID,
    "name": _folded(tables.task_name.c.name),
    "state": _T.state,
    "worker": _folded(tables.worker.c.hostname),
    "retries": task_indexes.RETRIES,
    "timestamp": _T.last_at,
    "sent": _T.sent_at,
    "received": _T.received_at,
    "started": _T.started_at,
    "succeeded": _T.succeeded_at,
    "failed": _T.failed_at,
    "revoked": _T.revoked_at,
    "runtime": _T.runtime,
    **{name: _folded(_T[name]) for name in _TEXTS},
}
"""What a list may be sorted by. Without a value is less than any, as in Flower."""

BY_NAMES = frozenset({"name", "worker"})
"""Those that are not in the task's own row."""


def ordered(statement: Select[Any], query: TaskQuery) -> Select[Any]:
    """The tasks of the query in its order, from where the page before ended."""
    ties = [part.desc() if query.descending else part.asc() for part in (_T.seen_at, _T.key)]
    statement = filtered(statement, query)
    if query.after is not None:
        here = tuple_(_T.seen_at, _T.key)
        there = tuple_(query.after.seen_at, query.after.key)
        statement = statement.where(here < there if query.descending else here > there)
    if query.sort == "seen":
        return statement.order_by(*ties)
    column = SORTS[query.sort]
    return statement.order_by(column.desc().nulls_last() if query.descending else column.asc().nulls_first(), *ties)


def filtered(statement: Select[Any], query: TaskQuery, *, states_of_query: Sequence[str] | None = None) -> Select[Any]:
    """The tasks of the query, or those in other states."""
    wanted = query.states if states_of_query is None else states_of_query
    conditions: list[ColumnElement[bool]] = [_T.cluster_id == query.cluster_id, *query.where]
    if wanted:
        conditions.append(_T.state == wanted[0] if len(wanted) == 1 else _T.state.in_(wanted))
    if query.marks:
        conditions.append(exists().where(task_rows.HOLDS, _M.kind.in_(query.marks)).correlate(tables.task))
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
