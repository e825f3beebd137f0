"""Our language of searches (`query.py`) as conditions of SQL.

Names are looked up first, so that the planner knows how many tasks each has. Arguments are kept as the texts that
Celery's events carry: a path into them (`kwargs.user.id:5`) is looked for in the text, and `notes` says so.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, exists, false, func, not_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import ids, marks, states, tables, task_indexes, timewords
from flower_store.query import And, Between, Compare, Has, Not, Or, Query, Value, Word
from flower_store.reads import slowness, task_rows, texts

_T = tables.task.c
_M = tables.task_mark.c

_UUID_LENGTH = 36
_UUID_SHAPE = "00000000-0000-0000-0000-000000000000"
_WAITING = (states.PENDING, states.RECEIVED, states.RETRY)

_DIMENSIONS: Mapping[str, tuple[ColumnElement[Any], Table, str]] = {
    "name": (_T.name_id, tables.task_name, "name"),
    "worker": (_T.worker_id, tables.worker, "hostname"),
    "queue": (_T.queue_id, tables.queue, "name"),
}
_KEYS: Mapping[str, ColumnElement[Any]] = {
    "id": _T.key,
    "root": _T.root_key, "parent": _T.parent_key, "children-of": _T.parent_key,
}  # fmt: skip
_NUMBERS: Mapping[str, ColumnElement[Any]] = {
    "runtime": _T.runtime, "wait": func.greatest(task_indexes.WAIT, 0), "retries": task_indexes.RETRIES,
}  # fmt: skip
_LARGE: Mapping[str, tuple[float, ColumnElement[bool], ColumnElement[Any]]] = {
    "runtime": (task_indexes.LONG_RUN, task_indexes.RAN_LONG, _T.runtime),
    "wait": (task_indexes.LONG_WAIT, task_indexes.WAITED_LONG, task_indexes.WAIT),
    "retries": (1, task_indexes.RETRIES > 0, task_indexes.RETRIES_AS_NUMBER),
}
"""From which number on there is an index, of which tasks, and what it says of each."""

_PARTS: Mapping[str, Sequence[ColumnElement[Any]]] = {
    "args": (_T.args,),
    "kwargs": (_T.kwargs,),
    "result": (_T.result, _T.found_result),
    "text": (_T.args, _T.kwargs, _T.result, _T.exception, _T.yielded_exception, _T.found_result),
}


class Matching:
    """Makes conditions for one cluster at one moment, with a connection to look names up."""

    def __init__(self, connection: AsyncConnection, cluster_id: int, now: datetime) -> None:
        self._connection = connection
        self._cluster_id = cluster_id
        self._now = now

    async def condition(self, query: Query) -> ColumnElement[bool]:
        """That a task matches. It may be null where it does not."""
        match query:
            case And(children):
                return and_(*[await self.condition(child) for child in children])
            case Or(children):
                return or_(*[await self.condition(child) for child in children])
            case Not(child):
                return not_(func.coalesce(await self.condition(child), false()))
            case _:
                return await self._term(query)

    async def _term(self, query: Word | Has | Compare | Between) -> ColumnElement[bool]:
        match query:
            case Word(value):
                return or_(_id(_T.key, value), await self._named("name", Value(value.text, prefix=True)))
            case Compare(key, sign, number):
                large, of = _number(key, number.value if sign[0] != "<" else 0)
                return and_(large, of.op(sign, is_comparison=True)(number.value))
            case Between(key, low, high):
                large, of = _number(key, low.value)
                return and_(large, of.between(low.value, high.value))
            case Has(key, values):
                return or_(*[await self._has(key, value) for value in values])

    async def _has(self, key: str, value: Value) -> ColumnElement[bool]:
        if key in _DIMENSIONS:
            return await self._named(key, value)
        if key in _KEYS:
            found = _id(_KEYS[key], value)
            return or_(found, and_(_T.root_text == "", _id(_T.key, value))) if key == "root" else found
        match key:
            case "is":
                return await self._is(value.text)
            case "state" | "group":
                return _exactly(key, value.text)
            case "after" | "before":
                at = timewords.parse(value.text, self._now)
                return _T.seen_at >= at if key == "after" else _T.seen_at < at
            case _:
                return _text(key, value)

    async def _named(self, key: str, value: Value) -> ColumnElement[bool]:
        small, table, name = _DIMENSIONS[key]
        column = table.c[name]
        matching = column.startswith(value.text, autoescape=True) if value.prefix else column == value.text
        rows = await self._connection.scalars(
            select(table.c.id).where(table.c.cluster_id == self._cluster_id, matching)
        )
        found = list(rows)
        return (small == found[0] if len(found) == 1 else small.in_(found)) if found else false()

    async def _is(self, word: str) -> ColumnElement[bool]:
        if word in marks.KINDS:
            return exists().where(task_rows.HOLDS, _M.kind == word).correlate(tables.task)
        if word == "slow":
            return await slowness.condition(self._connection, self._cluster_id, self._now)
        return {
            "running": _T.state == states.STARTED,
            "waiting": _T.state.in_(_WAITING),
            "late": and_(_T.due_at < self._now, _T.state.in_(_WAITING)),
            "retried": task_indexes.RETRIES > 0,
            "eta": _T.due_at.is_not(None),
            "root": _T.parent_key.is_(None),
        }[word]


def _exactly(key: str, text: str) -> ColumnElement[bool]:
    return of_group(int(text)) if key == "group" else _T.state == text


def of_group(group_id: int) -> ColumnElement[bool]:
    """That the task's last failure, as an event or else the result backend told it, is of this error group."""
    return or_(_T.failed_group_id == group_id, _T.found_group_id == group_id)


def _number(key: str, least: float) -> tuple[ColumnElement[bool], ColumnElement[Any]]:
    """The number under the key, and what follows from its being `least` or more, where an index has it so."""
    from_, large, of = _LARGE[key]
    return (large, of) if least >= from_ else (true(), _NUMBERS[key])


def _id(column: ColumnElement[Any], value: Value) -> ColumnElement[bool]:
    """An id, or all that begin alike; of those only UUIDs, since other ids are stored by their hash."""
    if not value.prefix and column is not _T.key:
        return column == ids.task_key(value.text)
    whole = column == ids.task_key(value.text)
    beginning = _range(value.text)
    if beginning is None:
        return whole
    return or_(whole, column.between(*beginning))


def _range(text: str) -> tuple[UUID, UUID] | None:
    """The first and the last UUID that begin like this; None where none does, or where it is too short."""
    start = text.lower()
    if not 8 <= len(start) <= _UUID_LENGTH:  # noqa: PLR2004 - what the language promises
        return None
    rest = _UUID_SHAPE[len(start) :]
    try:
        first, last = UUID(start + rest), UUID(start + rest.replace("0", "f"))
    except ValueError:
        return None
    return (first, last) if str(first).startswith(start) else None


def _text(key: str, value: Value) -> ColumnElement[bool]:
    head, dot, path = key.partition(".")
    if dot:
        return _at_path(head, path, value.text)
    if key == "error":
        return and_(task_indexes.ERRED, _error(value))
    if key == "routing":
        return _begins(_T.routing_key, value)
    if key == "exchange":
        return _begins(_T.exchange, value)
    name, equals, item = value.text.partition("=")
    if key == "kwargs" and equals:  # as Flower 2 had it
        return _at_path("kwargs", name.strip(), item.strip())
    return or_(*(_part(column, value.text) for column in _PARTS[key]))


def _part(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """The text in any case; that of letters beyond ASCII is the database's to know."""
    if text.isascii():
        return texts.lowered(column).contains(text.lower(), autoescape=True)
    return column.icontains(text, autoescape=True)


def _error(value: Value) -> ColumnElement[bool]:
    """By an exception's class, which stands before its parenthesis, or by its whole representation."""
    told, head = task_indexes.EXCEPTION, value.text.partition("(")[0][: task_indexes.LONGEST_CLASS]
    if value.prefix:
        last = f"{head}\U0010ffff"
        return and_(task_indexes.ERROR_CLASS.between(head, last), told.startswith(value.text, autoescape=True))
    whole = or_(told == value.text, told.startswith(f"{value.text}(", autoescape=True))
    return and_(task_indexes.ERROR_CLASS.in_((head,)), whole)


def _begins(column: ColumnElement[Any], value: Value) -> ColumnElement[bool]:
    return column.startswith(value.text, autoescape=True) if value.prefix else column == value.text


def _at_path(head: str, path: str, value: str) -> ColumnElement[bool]:
    """The value as Python writes it, behind its key: nobody can tell more from a text that may be cut."""
    written = [f"'{value}'", f'"{value}"', value]
    if head == "args":
        ends = [(before, after) for before in ("(", "[", " ") for after in (",", ")", "]")]
        return or_(*(_T.args.contains(f"{a}{one}{b}", autoescape=True) for one in written for a, b in ends))
    key = path.rpartition(".")[2]
    begins = [f"'{key}': ", f'"{key}": ']
    quoted = [f"{begin}{one}" for begin in begins for one in written[:2]]
    plain = [f"{begin}{value}{end}" for begin in begins for end in (",", "}")]
    return or_(*(_T.kwargs.contains(one, autoescape=True) for one in (*quoted, *plain)))


def notes(query: Query | None) -> list[str]:
    """What the reader of an answer must know of how it was found."""
    return [TEXT_MATCH] if query is not None and _has_path(query) else []


TEXT_MATCH = "arguments are kept as text, possibly cut: a path is a text match for its last key and the value"


def _has_path(query: Query) -> bool:
    match query:
        case And(children) | Or(children):
            return any(map(_has_path, children))
        case Not(child):
            return _has_path(child)
        case Has(key, values):
            return "." in key or (key == "kwargs" and any("=" in one.text for one in values))
        case _:
            return False
