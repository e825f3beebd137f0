"""The JSON of a task, as Flower 2 wrote it: Celery's `Task._fields`, in that order. Times are epoch seconds."""

from collections.abc import Sequence
from datetime import datetime
from types import GenericAlias
from typing import cast

import msgspec
from msgspec import UNSET, UnsetType, structs

from flower_store import states
from flower_store.records import TaskRecord


class TaskInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A task as `/api/task/info` gives it. Arguments and results are texts that Celery has cut."""

    uuid: str
    name: str | None
    state: str
    received: float | None
    sent: float | None
    started: float | None
    rejected: float | None
    succeeded: float | None
    failed: float | None
    retried: float | None
    revoked: float | None
    args: str | None
    kwargs: str | None
    eta: str | None
    expires: str | None
    retries: int | None
    worker: str | None
    result: str | None
    exception: str | None
    timestamp: float
    runtime: float | None
    traceback: str | None
    exchange: str | None
    routing_key: str | None
    clock: int
    client: str | None
    root: str | None
    root_id: str | None
    parent: str | None
    parent_id: str | None
    children: Sequence[str]


def task_info(record: TaskRecord) -> TaskInfo:
    """The task as one document; `retries`, `exception` and `traceback` are of the last attempt that told them."""
    result, exception, traceback = _outcome(record)
    return TaskInfo(
        uuid=record.id,
        name=record.name,
        state=record.state,
        received=_epoch(record.received_at),
        sent=_epoch(record.sent_at),
        started=_epoch(record.started_at),
        rejected=_epoch(record.rejected_at or _yielded(record, "task-rejected")),
        succeeded=_epoch(record.succeeded_at),
        failed=_epoch(record.failed_at),
        retried=_epoch(_yielded(record, "task-retried")),
        revoked=_epoch(record.revoked_at),
        args=record.args,
        kwargs=record.kwargs,
        eta=record.eta,
        expires=record.expires,
        retries=record.retries,
        worker=record.worker,
        result=result,
        exception=exception,
        timestamp=record.last_at.timestamp(),
        runtime=record.runtime,
        traceback=traceback,
        exchange=record.exchange,
        routing_key=record.routing_key,
        clock=record.last_clock,
        client=record.client,
        root=record.root_id,
        root_id=record.root_id,
        parent=record.parent_id,
        parent_id=record.parent_id,
        children=record.children,
    )


def listed(record: TaskRecord) -> dict[str, object]:
    """The task as one of many: Flower put `worker` last there, and left it out where it was not known."""
    document = structs.asdict(task_info(record))
    worker = document.pop("worker")
    return document if worker is None else document | {"worker": worker}


def _outcome(record: TaskRecord) -> tuple[str | None, str | None, str | None]:
    """Result, exception and traceback; of a task whose end no event told, those of the result backend."""
    if record.found is not None and record.found.state == states.SUCCESS:
        return record.found.result, record.yielded_exception, record.yielded_traceback
    if record.found is not None:
        return None, record.found.result, record.found.traceback
    if record.failed_at is not None:
        return record.result, record.exception, record.traceback
    return record.result, record.yielded_exception, record.yielded_traceback


def _yielded(record: TaskRecord, kind: str) -> datetime | None:
    return record.yielded_at if record.yielded_type == kind else None


def _epoch(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


_LISTED = msgspec.defstruct(
    "ListedTask",
    [
        *((field.name, field.type) for field in structs.fields(TaskInfo) if field.name != "worker"),
        ("worker", str | UnsetType, UNSET),
    ],
    kw_only=True,
)
TASK_LIST = cast("type[dict[str, TaskInfo]]", GenericAlias(dict, (str, _LISTED)))
"""The type of a list of tasks by id, for the reference alone."""
