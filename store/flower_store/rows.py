"""Folded tasks and events as rows of the incoming tables, in the order of their columns."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from flower_store import fold, ids, registers, tables
from flower_store.events import TaskEvent
from flower_store.fold import Folded

Row = tuple[object, ...]

TASK_COLUMNS = tuple(
    column.name for column in tables.task.columns if column.computed is None and column.name != "cluster_id"
)
EVENT_COLUMNS = tuple(column.name for column in tables.task_event.columns if column.name != "cluster_id")


class Ids:
    """The small ids of the names in one batch."""

    __slots__ = ("names", "queues", "workers")

    def __init__(self, *, names: Mapping[str, int], queues: Mapping[str, int], workers: Mapping[str, int]) -> None:
        self.names = names
        self.queues = queues
        self.workers = workers


def task_row(task_id: str, folded: Folded, found: Ids) -> Row:
    """One row for `incoming_task`."""
    values: dict[str, object] = {
        "key": ids.task_key(task_id),
        "id_text": ids.odd_text(task_id),
        "seen_at": folded.seen_at,
        "last_at": folded.last[0],
        "last_clock": folded.last[1],
    }
    described = folded.described
    if described is not None:
        values |= _description(task_id, described, found)
    for register in registers.ALL:
        winner = folded.winners.get(register.name)
        if winner is not None:
            values |= zip(register.key, winner[0], strict=True)
            values |= _payload(register, winner[1], found)
    return tuple(values.get(column) for column in TASK_COLUMNS)


def event_row(event: TaskEvent, found: Ids) -> Row:
    """One row for `incoming_event`; `runtime` stands behind the log's columns, for the rollups."""
    return (
        ids.task_key(event.task_id),
        event.at,
        event.digest,
        event.type,
        found.workers.get(event.hostname),
        event.pid,
        event.clock,
        event.received_at,
        msgspec.json.encode(event.fields).decode() if event.fields else None,
        fold.number(event.fields, "runtime") if event.type == "task-succeeded" else None,
    )


def _description(task_id: str, event: TaskEvent, found: Ids) -> dict[str, object]:
    fields = event.fields
    root = fold.relation(task_id, fields, "root_id")
    parent = fold.relation(task_id, fields, "parent_id")
    name = fold.text(fields, "name")
    return {
        "name_id": found.names.get(name) if name else None,
        "args": fold.text(fields, "args"),
        "kwargs": fold.text(fields, "kwargs"),
        "eta": fold.text(fields, "eta"),
        "expires": fold.text(fields, "expires"),
        "due_at": fold.due_at(fields),
        "root_key": _related(root),
        "root_text": fold.odd_relation(root),
        "parent_key": _related(parent),
        "parent_text": fold.odd_relation(parent),
    }


def _related(task_id: str | None) -> UUID | None:
    return ids.task_key(task_id) if task_id else None


def _payload(register: registers.Register, event: TaskEvent, found: Ids) -> dict[str, object]:
    fields = event.fields
    worker = found.workers.get(event.hostname)
    if register is registers.SENT:
        queue = fold.text(fields, "queue")
        return {
            "queue_id": found.queues.get(queue) if queue else None,
            "exchange": fold.text(fields, "exchange"),
            "routing_key": fold.text(fields, "routing_key"),
            "client": event.hostname,
        }
    values: dict[str, object] = {f"{register.name}_worker_id": worker}
    if register in (registers.STARTED, registers.YIELDED):
        values[f"{register.name}_pid"] = event.pid
    return values | _outcome(register, event)


def _outcome(register: registers.Register, event: TaskEvent) -> dict[str, object]:
    fields = event.fields
    match register.name:
        case "yielded":
            return {
                "yielded_type": event.type,
                "yielded_exception": fold.text(fields, "exception"),
                "yielded_traceback": fold.text(fields, "traceback"),
            }
        case "succeeded":
            return {"result": fold.text(fields, "result"), "runtime": fold.number(fields, "runtime")}
        case "failed":
            return {"exception": fold.text(fields, "exception"), "traceback": fold.text(fields, "traceback")}
        case "revoked":
            return {
                "terminated": fold.flag(fields, "terminated"),
                "expired": fold.flag(fields, "expired"),
                "signum": fold.text(fields, "signum"),
            }
        case "custom":
            return {"custom_type": event.type, "custom_fields": msgspec.json.encode(fields).decode()}
        case _:
            return {}
