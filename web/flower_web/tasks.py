"""The task list: a page, and the rows that its live island asks for again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.response import Template

from flower_store import cursors
from flower_store.cursors import Cursor
from flower_store.reads import matching, task_counts
from flower_store.reads import tasks as stored
from flower_store.reads.task_query import TaskQuery as TaskSelection
from flower_store.records import Page, TaskSummary
from flower_web import task_list, task_query, task_row
from flower_web.given import GivenReads
from flower_web.task_list import RowsAnswer, TaskList
from flower_web.task_query import TaskQuery
from flower_web.visit import GivenVisit

AnyRequest = Request[object, object, State]


@get("/c/{cluster:str}/tasks", include_in_schema=False)
async def tasks(request: AnyRequest, reads: GivenReads, visit: GivenVisit) -> Template:
    """One page of the list."""
    query = task_query.parsed(request.query_params)
    async with reads.connect() as connection:
        names = await stored.names(connection, visit.cluster.id)
        wanted = store_query(query, visit.cluster.id, names)
        page = await stored.page(connection, wanted)
        # Narrowed to a name or a worker, a count may have to look at every task of a state: rows must not wait for it.
        counts = None if query.narrow else await task_counts.state_counts(connection, wanted)
        marked = await task_counts.mark_counts(connection, wanted)
    rows = [task_row.row(each, query, visit.addresses, now=visit.now) for each in page.items]
    shown = TaskList(
        query,
        visit.addresses,
        rows=rows,
        newest=newest(query, page),
        next=page.next,
        names=names,
        counts=counts,
        marked=marked,
    )
    return Template("tasks.html", context={"frame": visit.frame("Tasks", here="tasks"), "list": shown})


@get("/c/{cluster:str}/task-rows", include_in_schema=False)
async def task_rows(request: AnyRequest, reads: GivenReads, visit: GivenVisit) -> Template:
    """The rows of these ids as they are now, and how many tasks of the view are newer than the page."""
    query = task_query.parsed(request.query_params)
    ids = request.query_params.getall("id", [])[: task_query.MOST_IDS]
    than = cursor(request.query_params.get("newest", ""))
    newer, toggles = None, None
    async with reads.connect() as connection:
        found = await stored.by_ids(connection, visit.cluster.id, ids)
        wanted = store_query(query, visit.cluster.id, await stored.names(connection, visit.cluster.id))
        if than is not None:
            newer = await task_counts.newer(connection, wanted, than)
        if "counts" in request.query_params:
            counts = None if query.narrow else await task_counts.state_counts(connection, wanted)
            marked = await task_counts.mark_counts(connection, wanted)
            toggles = TaskList(query, visit.addresses, rows=(), counts=counts, marked=marked)
    answer = RowsAnswer(
        [task_row.row(each, query, visit.addresses, now=visit.now) for each in found],
        visit.now,
        visit.intake,
        newer=newer.value if newer else None,
        newer_text=task_list.newer_text(newer) if newer else "",
        list=toggles,
    )
    return Template("task_rows.html", context={"answer": answer})


def store_query(query: TaskQuery, cluster_id: int, names: Sequence[str]) -> TaskSelection:
    """The view as the store reads it. A name that no task has is taken as the beginning of one."""
    beginning = query.name and query.name not in names and not query.name.endswith("*")
    return TaskSelection(
        cluster_id=cluster_id,
        states=query.states,
        marks=query.marks,
        name=(f"{query.name}*" if beginning else query.name) or None,
        worker=query.worker or None,
        where=[matching.of_group(query.group)] if query.group else (),
        after=cursor(query.after),
        limit=query.limit,
    )


def cursor(token: str) -> Cursor | None:
    """The place in the list; None, its beginning, for what is no place."""
    try:
        return cursors.parse(token)
    except cursors.BadCursor:
        return None


def newest(query: TaskQuery, page: Page[TaskSummary]) -> str | None:
    """The token of the first row of the list's beginning; on an empty page everything that comes is newer."""
    if query.after:
        return None
    if not page.items:
        return Cursor(datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0)).token()
    first = page.items[0]
    return Cursor(first.seen_at, first.key).token()
