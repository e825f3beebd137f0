"""One task: its state, its story, what it carried and what came of it."""

import http
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.response import Template

from flower_api.reads import Reads
from flower_store import attempts, spans, states
from flower_store.attempts import Attempt
from flower_store.reads import tasks as stored
from flower_store.reads import workers
from flower_store.records import EventRecord, TaskRecord
from flower_web import absence, task_row, timeline
from flower_web.absence import Absence
from flower_web.given import GivenReads
from flower_web.timeline import Step
from flower_web.visit import GivenVisit, Visit

_SHOWN_CHILDREN = 100
_HELD = {states.RECEIVED, states.STARTED, states.RETRY}
"""States in which a task needs its worker."""


class TaskNotFound(HTTPException):
    """No event of this task is stored."""

    status_code = http.HTTPStatus.NOT_FOUND


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event as it came."""

    event: EventRecord
    fields: str

    @property
    def lag(self) -> float | None:
        """Seconds from the sender's clock to the collector's."""
        return spans.between(self.event.at, self.event.received_at)


@dataclass(frozen=True, slots=True)
class TaskPage:
    """What the task's template shows."""

    task: TaskRecord
    shown_state: str
    steps: Sequence[Step]
    attempts: Sequence[Attempt]
    events: Sequence[RawEvent]
    absence: Absence | None
    """That the worker which should be at work on it is not there; None while it is, and once the task has ended."""

    @property
    def wait(self) -> float | None:
        """Seconds from sent, or else received, to started."""
        return spans.between(self.task.sent_at or self.task.received_at, self.task.started_at)

    @property
    def run(self) -> float | None:
        """Seconds of the last attempt."""
        return spans.run(self.task.runtime, self.task.started_at, self.task.ended_at)

    @property
    def error(self) -> tuple[str | None, str | None]:
        """The exception and traceback that belong to the state: of the failure, or of the retry that is under way."""
        if self.task.found is not None and self.task.state != states.SUCCESS:
            return self.task.found.result, self.task.found.traceback
        if self.task.state == states.RETRY:
            return self.task.yielded_exception, self.task.yielded_traceback
        return (self.task.exception, self.task.traceback) if self.task.state == states.FAILURE else (None, None)

    @property
    def children(self) -> Sequence[str]:
        """The first of its children."""
        return self.task.children[:_SHOWN_CHILDREN]


@get("/c/{cluster:str}/tasks/{task_id:path}", include_in_schema=False)
async def task(reads: GivenReads, visit: GivenVisit, task_id: FromPath[str]) -> Template:
    """The page of a task whose id can stand in a path."""
    return await _page(reads, visit, str(task_id).removeprefix("/"))


@get("/c/{cluster:str}/task", include_in_schema=False)
async def odd_task(request: Request[object, object, State], reads: GivenReads, visit: GivenVisit) -> Template:
    """The page of a task whose id a browser or a proxy would bend in a path."""
    return await _page(reads, visit, request.query_params.get("id", ""))


async def _page(reads: Reads, visit: Visit, task_id: str) -> Template:
    found = None
    events: list[EventRecord] = []
    away: Absence | None = None
    if "\0" not in task_id:
        async with reads.connect() as connection:
            found = await stored.one(connection, visit.cluster.id, task_id)
            if found is not None:
                events = await stored.events(connection, visit.cluster.id, task_id)
                if found.worker is not None and found.state in _HELD:
                    away = absence.absence(await workers.workers(connection, visit.cluster.id), found.worker)
    if found is None:
        raise TaskNotFound(
            detail=f"No event of the task {task_id!r} is stored for the cluster {visit.cluster.slug!r}. "
            "It may belong to another cluster, or be older than what is kept."
        )
    page = TaskPage(
        found,
        task_row.shown_state(found.state, found.due_at, visit.now),
        steps=timeline.timeline(found),
        attempts=attempts.attempts(events),
        events=[RawEvent(event, _json(event)) for event in events],
        absence=away,
    )
    return Template("task.html", context={"frame": visit.frame(found.name or found.id, here="tasks"), "page": page})


def _json(event: EventRecord) -> str:
    encoded = msgspec.json.encode(event.fields or {}, order="sorted")
    return msgspec.json.format(encoded, indent=2).decode()
