"""Tasks as our own addresses tell them."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from flower_store import spans
from flower_store.attempts import Attempt
from flower_store.records import Count, EventRecord, FoundRecord, MarkRecord, TaskRecord, TaskSummary


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
    """A task of a list. `reconciled`: no event told its end, and `state` is that of the result backend.

    `wait` and `runtime` are seconds, null where no event told them. `args`, `kwargs`, `error` are cut to 200 letters.
    """

    id: str
    name: str | None
    state: str
    worker: str | None
    queue: str | None
    seen_at: datetime
    sent_at: datetime | None
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    wait: float | None
    runtime: float | None
    retries: int
    args: str | None
    kwargs: str | None
    error: str | None
    mark: Mark | None
    reconciled: bool


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it came; `at` is in its sender's clock."""

    type: str
    at: datetime
    received_at: datetime
    worker: str | None
    pid: int
    clock: int
    fields: Mapping[str, object]


class TaskAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One run on a worker; `runtime` is the time between its two events in seconds."""

    number: int
    state: str
    worker: str | None
    started_at: datetime | None
    ended_at: datetime | None
    runtime: float | None
    exception: str | None
    traceback: str | None


class Relations(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks round it. `root` and `parent` are null where there is none, or none is stored (their ids stand in
    the task); `children` are the first 500, `more_children` says that there are more.
    """

    root: ListedTask | None
    parent: ListedTask | None
    children: list[ListedTask]
    more_children: bool


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task with all that its events told. Texts are what Celery's events carry, which may be cut.

    - `ended_at` is the time of the event that told its end; null where none did, and `found` where the backend did.
    - `exception` and `traceback` are of its failure, or else of its last retry.
    - `error_group` is the number of its last failure's group (`/errors/{group_id}`), whatever became of it since.
    - `events` (oldest first), `attempts` (newest first) and `relations` are null unless `include` asks for them.
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
    wait: float | None
    runtime: float | None
    retries: int
    args: str | None
    kwargs: str | None
    result: str | None
    exception: str | None
    traceback: str | None
    error_group: int | None
    eta: str | None
    expires: str | None
    exchange: str | None
    routing_key: str | None
    client: str | None
    root_id: str | None
    parent_id: str | None
    terminated: bool | None
    expired: bool | None
    signum: str | None
    mark: Mark | None
    found: Found | None
    events: list[Event] | None = None
    attempts: list[TaskAttempt] | None = None
    relations: Relations | None = None


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A number of rows; where `exact` is false it is the planner's estimate, and at least so many were counted."""

    value: int
    exact: bool


def number(count: Count) -> Number:
    """A count."""
    return Number(value=count.value, exact=count.exact)


def listed(record: TaskSummary) -> ListedTask:
    """A task of a list."""
    return ListedTask(
        id=record.id,
        name=record.name,
        state=record.state,
        worker=record.worker,
        queue=record.queue,
        seen_at=record.seen_at,
        sent_at=record.sent_at,
        received_at=record.received_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        due_at=record.due_at,
        wait=spans.between(record.sent_at or record.received_at, record.started_at),
        runtime=record.runtime,
        retries=record.retries,
        args=record.args,
        kwargs=record.kwargs,
        error=record.error,
        mark=_mark(record.mark),
        reconciled=record.reconciled,
    )


def whole(record: TaskRecord) -> Task:
    """A task by itself."""
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
        wait=spans.between(record.sent_at or record.received_at, record.started_at),
        runtime=record.runtime,
        retries=record.retries,
        args=record.args,
        kwargs=record.kwargs,
        result=record.result,
        exception=record.exception or record.yielded_exception,
        traceback=record.traceback or record.yielded_traceback,
        error_group=record.error_group,
        eta=record.eta,
        expires=record.expires,
        exchange=record.exchange,
        routing_key=record.routing_key,
        client=record.client,
        root_id=record.root_id,
        parent_id=record.parent_id,
        terminated=record.terminated,
        expired=record.expired,
        signum=record.signum,
        mark=_mark(record.mark),
        found=_found(record.found),
    )


def event(record: EventRecord) -> Event:
    """An event of a task."""
    return Event(
        type=record.type,
        at=record.at,
        received_at=record.received_at,
        worker=record.worker,
        pid=record.pid,
        clock=record.clock,
        fields=record.fields,
    )


def attempt(one: Attempt) -> TaskAttempt:
    """An attempt of a task."""
    return TaskAttempt(
        number=one.number,
        state=one.state,
        worker=one.worker,
        started_at=one.started_at,
        ended_at=one.ended_at,
        runtime=one.run,
        exception=one.exception,
        traceback=one.traceback,
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
