"""`/api/v1/clusters/…/tasks`: lists by keyset, one task with what stands round it, and counts."""

from typing import Annotated

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath, QueryParameter, SkipValidation

from flower_api import arguments
from flower_api.reads import Reads
from flower_api.v1 import parameters, shapes, task_documents
from flower_api.v1.task_documents import ListedTask, Number, Relations, Task
from flower_store import attempts
from flower_store.reads import task_counts, task_selection, tasks
from flower_store.reads.task_selection import TaskSelection
from flower_store.records import RelationsRecord

_AnyRequest = Request[object, object, State]

PARTS = ("events", "attempts", "relations")


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks, the one first seen last at the top; `next` is the cursor of the page behind, null on the last one.

    `notes` say how they were found, where that is not exact.
    """

    tasks: list[ListedTask]
    next: str | None
    notes: list[str]


class TaskCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks match, how many of them in each state, and how many bear each mark."""

    total: Number
    states: dict[str, Number]
    marks: dict[str, Number]


@get(
    "/tasks",
    responses=parameters.answered(Tasks, "tasks, the newest first"),
    summary="Tasks, all or those that match",
    tags=["tasks"],
)
async def list_tasks(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    selected: NamedDependency[SkipValidation[TaskSelection]],
    *,
    fields: parameters.Fields = None,
    after: parameters.After = None,
    limit: parameters.Limit = 50,
) -> Response[bytes]:
    """By a search (`q`), by filters beside it, and by when they were first seen (`from`, `until`)."""
    wanted = shapes.chosen(ListedTask, fields)
    place = parameters.cursor(after)
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        query = await task_selection.resolved(connection, cluster.id, selected, after=place, limit=limit)
        page = await tasks.page(connection, query)
    found = Tasks(
        tasks=[task_documents.listed(one) for one in page.items], next=page.next, notes=task_selection.notes(selected)
    )
    return shapes.listed(found, "tasks", wanted)


@get(
    "/task-counts",
    responses=parameters.answered(TaskCounts, "how many"),
    summary="How many tasks match, by state and by mark",
    tags=["tasks"],
)
async def count_tasks(
    slug: FromPath[str], reads: NamedDependency[Reads], selected: NamedDependency[SkipValidation[TaskSelection]]
) -> TaskCounts:
    """Exact up to 10,000, and the planner's estimate above. Apart from the list, which it would hold up."""
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        query = await task_selection.resolved(connection, cluster.id, selected)
        total = await task_counts.total(connection, query)
        states = await task_counts.estimated_by_state(connection, query)
        marks = await task_counts.mark_counts(connection, query)
    return TaskCounts(
        total=task_documents.number(total),
        states={state: task_documents.number(count) for state, count in states.items()},
        marks={kind: task_documents.number(count) for kind, count in marks.items()},
    )


@get(
    ["/tasks/{task_id:path}", "/task"],
    responses=parameters.answered(Task, "the task"),
    summary="One task, and whether its end is known",
    tags=["tasks"],
)
async def one_task(
    request: _AnyRequest,
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    given: Annotated[str | None, QueryParameter(name="id", description="for `/task`")] = None,
    include: Annotated[
        str | None, QueryParameter(name="include", description=f"more of it, comma between: {', '.join(PARTS)}")
    ] = None,
    fields: parameters.Fields = None,
) -> Response[bytes]:
    """By its id; one that a proxy would bend in a path is given as `/task?id=…`."""
    wanted, parts = shapes.chosen(Task, fields), _parts(include)
    cluster = await reads.cluster(slug)
    task_id = given if given is not None else str(request.path_params.get("task_id", "")).removeprefix("/")
    document = await _task(reads, cluster.id, task_id, parts) if _storable(task_id) else None
    if document is None:
        raise NotFoundException(detail=f"no task {task_id[:200]!r} is stored")
    return shapes.one(document, wanted)


async def _task(reads: Reads, cluster_id: int, task_id: str, parts: frozenset[str]) -> Task | None:
    async with reads.connect("REPEATABLE READ") as connection:
        record = await tasks.one(connection, cluster_id, task_id)
        if record is None:
            return None
        events = await tasks.events(connection, cluster_id, task_id) if parts & {"events", "attempts"} else []
        around = await tasks.relations(connection, cluster_id, record) if "relations" in parts else None
    told = {
        "events": [task_documents.event(one) for one in events],
        "attempts": [task_documents.attempt(one) for one in attempts.attempts(events)],
        "relations": None if around is None else _relations(around),
    }
    return msgspec.structs.replace(
        task_documents.whole(record), **{name: value for name, value in told.items() if name in parts}
    )


def _relations(record: RelationsRecord) -> Relations:
    return Relations(
        root=None if record.root is None else task_documents.listed(record.root),
        parent=None if record.parent is None else task_documents.listed(record.parent),
        children=[task_documents.listed(one) for one in record.children],
        more_children=record.more_children,
    )


def _parts(given: str | None) -> frozenset[str]:
    wanted = frozenset(part.strip() for part in (given or "").split(",") if part.strip())
    for part in wanted:
        if part not in PARTS:
            raise ClientException(f"include: there is no part {part!r}{arguments.suggestion(part, PARTS)}")
    return wanted


def _storable(task_id: str) -> bool:
    return "\0" not in task_id and not any("\ud800" <= letter <= "\udfff" for letter in task_id)
