"""`/api/v1/clusters/…/tasks`: what Flower's own addresses have no key for: marks, and ends that no event told."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath, FromQuery, QueryParameter

from flower_api import arguments
from flower_api.reads import Reads
from flower_api.v1 import parameters
from flower_store import marks, states
from flower_store.reads import tasks
from flower_store.reads.tasks import TaskQuery
from flower_store.records import FoundRecord, MarkRecord, TaskRecord, TaskSummary

_AnyRequest = Request[object, object, State]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Our judgement that nobody seems to work on a task: `lost`, `ended_unseen`, `stuck` or `overdue`.

    It goes again as soon as anything is heard of the task. `since` is null where that is not known.
    """

    kind: str
    reason: str
    since: datetime | None
    sentence: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a task as the result backend knew it; `until` is when it had ended at the latest.

    `result` is JSON, or the exception of a failed task; null where it was not read.
    """

    state: str
    until: datetime
    result: str | None
    traceback: str | None
    sentence: str


class ListedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task of a list. `reconciled`: no event told its end, and `state` is that of the result backend."""

    id: str
    name: str | None
    state: str
    worker: str | None
    queue: str | None
    seen_at: datetime
    mark: Mark | None
    reconciled: bool


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks, the one first seen last at the top; `next` is the cursor of the page behind, null on the last one."""

    tasks: list[ListedTask]
    next: str | None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task and what is known of its end. All that its events told is at `/api/task/info/{id}`.

    `ended_at` is the time of the event that told its end; null where none did, and `found` where the backend did.
    """

    id: str
    name: str | None
    state: str
    worker: str | None
    queue: str | None
    seen_at: datetime
    last_at: datetime
    sent_at: datetime | None
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    mark: Mark | None
    found: Found | None


@get(
    "/tasks",
    guards=[arguments.only("is", "state", "name", "worker", "queue", "after", "limit")],
    responses=parameters.answered(Tasks, "tasks, the newest first"),
    summary="Tasks, and which of them nobody works on",
    tags=["tasks"],
)
async def list_tasks(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    marked: Annotated[str | None, QueryParameter(name="is", description="kinds of marks, comma: or")] = None,
    in_state: Annotated[str | None, QueryParameter(name="state", description="comma: or")] = None,
    name: FromQuery[str | None] = None,
    worker: FromQuery[str | None] = None,
    queue: FromQuery[str | None] = None,
    after: parameters.After = None,
    limit: parameters.Limit = 50,
) -> Tasks:
    """All, or those that bear a mark, are in a state, or belong to a name, worker or queue (`*` at its end: prefix)."""
    cluster = await reads.cluster(slug)
    query = TaskQuery(
        cluster_id=cluster.id,
        marks=_choices("is", marked, marks.KINDS),
        states=_choices("state", in_state and in_state.upper(), states.ALL),
        name=_text(name),
        worker=_text(worker),
        queue=_text(queue),
        after=parameters.cursor(after),
        limit=limit,
    )
    async with reads.connect() as connection:
        page = await tasks.page(connection, query)
    return Tasks(tasks=[_listed(one) for one in page.items], next=page.next)


@get(
    ["/tasks/{task_id:path}", "/task"],
    guards=[arguments.only("id")],
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
) -> Task:
    """By its id; one that a proxy would bend in a path is given as `/task?id=…`."""
    cluster = await reads.cluster(slug)
    task_id = given if given is not None else str(request.path_params.get("task_id", "")).removeprefix("/")
    record = None
    if "\0" not in task_id:
        async with reads.connect() as connection:
            record = await tasks.one(connection, cluster.id, task_id)
    if record is None:
        raise NotFoundException(detail=f"no task {task_id!r} is stored")
    return _task(record)


def _choices(name: str, given: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    wanted = tuple(part.strip() for part in (given or "").split(",") if part.strip())
    for part in wanted:
        if part not in known:
            raise ClientException(f"{name}: {part!r} is none of {', '.join(known)}")
    return wanted


def _text(given: str | None) -> str | None:
    return given.replace("\0", "") or None if given else None


def _listed(record: TaskSummary) -> ListedTask:
    return ListedTask(
        id=record.id,
        name=record.name,
        state=record.state,
        worker=record.worker,
        queue=record.queue,
        seen_at=record.seen_at,
        mark=_mark(record.mark),
        reconciled=record.reconciled,
    )


def _task(record: TaskRecord) -> Task:
    return Task(
        id=record.id,
        name=record.name,
        state=record.state,
        worker=record.worker,
        queue=record.queue,
        seen_at=record.seen_at,
        last_at=record.last_at,
        sent_at=record.sent_at,
        received_at=record.received_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        due_at=record.due_at,
        mark=_mark(record.mark),
        found=_found(record.found),
    )


def _mark(record: MarkRecord | None) -> Mark | None:
    if record is None:
        return None
    return Mark(kind=record.kind, reason=record.reason, since=record.since, sentence=record.sentence)


def _found(record: FoundRecord | None) -> Found | None:
    if record is None:
        return None
    return Found(
        state=record.state,
        until=record.until,
        result=record.result,
        traceback=record.traceback,
        sentence=record.sentence,
    )
