"""A search and a range of time, and the tasks that they mean."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import tables
from flower_store.cursors import Cursor
from flower_store.query import Query
from flower_store.reads import matching
from flower_store.reads.matching import Matching
from flower_store.reads.task_query import TaskQuery

_T = tables.task.c


@dataclass(frozen=True, slots=True)
class TaskSelection:
    """What is searched for among tasks first seen from `since` up to `until`; None is everything."""

    query: Query | None
    since: datetime | None
    until: datetime | None
    now: datetime


async def resolved(
    connection: AsyncConnection,
    cluster_id: int,
    selection: TaskSelection,
    *,
    after: Cursor | None = None,
    limit: int | None = None,
) -> TaskQuery:
    """The selection as conditions, with the names in it looked up."""
    where = []
    if selection.query is not None:
        where.append(await Matching(connection, cluster_id, selection.now).condition(selection.query))
    where += [] if selection.since is None else [_T.seen_at >= selection.since]
    where += [] if selection.until is None else [_T.seen_at < selection.until]
    return TaskQuery(cluster_id=cluster_id, where=where, after=after, limit=limit)


def notes(selection: TaskSelection) -> list[str]:
    """What the reader of an answer must know of how it was found."""
    return matching.notes(selection.query)
