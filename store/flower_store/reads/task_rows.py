"""A task's columns in lists and in detail, and the records that are made of them."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Result, Select, String, and_, case, cast, func, null, select

from flower_store import registers, states, tables, task_indexes
from flower_store.records import FoundRecord, MarkRecord, TaskRecord, TaskSummary

PREVIEW = 200
"""Characters of arguments and errors in a list."""

_T = tables.task.c
_M = tables.task_mark.c

RECONCILED = func.coalesce(_T.reconciled, False)
ENDED_AT = case(
    (RECONCILED, null()),
    (_T.state == states.SUCCESS, _T.succeeded_at),
    (_T.state == states.FAILURE, _T.failed_at),
    (_T.state == states.REVOKED, _T.revoked_at),
    (_T.state == states.REJECTED, _T.rejected_at),
)
_CLOCKS = [(_T[f"{one.name}_at"], _T[f"{one.name}_clock"]) for one in registers.ALL]
LAST_CLOCK = func.coalesce(
    func.greatest(*(case((at == _T.last_at, clock)) for at, clock in _CLOCKS)),
    func.greatest(*(clock for _, clock in _CLOCKS)),
    0,
)
"""The clock of the last event. One that lost its register by retries left none: then the largest that is there."""
ID = func.coalesce(_T.id_text, cast(_T.key, String))
ERROR = case(
    (and_(RECONCILED, _T.state == states.FAILURE), _T.found_result),
    (_T.state == states.FAILURE, _T.exception),
    (_T.state == states.RETRY, _T.yielded_exception),
)

_MARK = (_M.kind.label("mark_kind"), _M.reason.label("mark_reason"), _M.since.label("mark_since"))

SUMMARY = (
    _T.key,
    ID.label("id"),
    tables.task_name.c.name.label("name"),
    _T.state,
    tables.queue.c.name.label("queue"),
    tables.worker.c.hostname.label("worker"),
    _T.seen_at,
    _T.sent_at,
    _T.received_at,
    _T.started_at,
    ENDED_AT.label("ended_at"),
    _T.due_at,
    _T.runtime,
    task_indexes.RETRIES.label("retries"),
    func.left(_T.args, PREVIEW).label("args"),
    func.left(_T.kwargs, PREVIEW).label("kwargs"),
    func.left(ERROR, PREVIEW).label("error"),
    RECONCILED.label("reconciled"),
    *_MARK,
)

_PLAIN = (
    "key", "state", "seen_at", "last_at", "args", "kwargs", "eta", "expires", "due_at", "sent_at",
    "exchange", "routing_key", "client", "received_at", "started_at", "yielded_at", "yielded_type",
    "yielded_exception", "yielded_traceback", "succeeded_at", "result", "runtime", "failed_at", "exception",
    "traceback", "revoked_at", "terminated", "expired", "signum", "rejected_at", "custom_at", "custom_type",
    "custom_fields",
)  # fmt: skip

DETAIL = (
    ID.label("id"),
    tables.task_name.c.name.label("name"),
    tables.queue.c.name.label("queue"),
    tables.worker.c.hostname.label("worker"),
    case((_T.root_text == "", ID), else_=func.coalesce(_T.root_text, cast(_T.root_key, String))).label("root_id"),
    func.coalesce(_T.parent_text, cast(_T.parent_key, String)).label("parent_id"),
    task_indexes.RETRIES.label("retries"),
    func.coalesce(_T.failed_group_id, _T.found_group_id).label("error_group"),
    *(_T[name] for name in _PLAIN),
    LAST_CLOCK.label("last_clock"),
    case((RECONCILED, _T.found_at)).label("found_at"),
    *(_T[name] for name in ("found_state", "found_result", "found_traceback")),
    *_MARK,
)


HOLDS = and_(
    _M.cluster_id == _T.cluster_id,
    _M.key == _T.key,
    _M.state == _T.state,
    _M.last_at == _T.last_at,
)
"""A mark holds for the state and the time of the last event that it was made for; any later one makes it void."""


@functools.cache
def joined(columns: tuple[ColumnElement[Any], ...]) -> Select[Any]:
    """Columns of tasks, with the names and the mark that stand for them. Made once, which took long."""
    return select(*columns).select_from(
        tables.task.outerjoin(tables.task_name, tables.task_name.c.id == _T.name_id)
        .outerjoin(tables.queue, tables.queue.c.id == _T.queue_id)
        .outerjoin(tables.worker, tables.worker.c.id == _T.worker_id)
        .outerjoin(tables.task_mark, HOLDS)
    )


def rows(result: Result[Any]) -> list[dict[str, Any]]:
    """The rows by the names of their columns: in a third of the time that SQLAlchemy's own mappings take."""
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


def summary(row: Mapping[Any, Any]) -> TaskSummary:
    """The record of a row of `SUMMARY`."""
    values = dict(row)
    return TaskSummary(mark=_mark(values), **values)


def record(row: Mapping[Any, Any], children: Sequence[str]) -> TaskRecord:
    """The record of a row of `DETAIL`."""
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
