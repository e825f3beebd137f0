"""What the store must hold of published events: every column that they determine, computed apart from the collector.

Rows are dictionaries by column, with names where the store has small ids: `name`, `queue`, `started_worker`,
`failed_group`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.store import reference

from flower_store import fingerprint
from flower_store.events import TaskEvent, WorkerEvent

Row = dict[str, Any]

_OF_THE_TASK = ("args", "kwargs", "eta", "expires")
_REGISTERS = ("sent", "received", "started", "yielded", "succeeded", "failed", "revoked", "rejected", "custom")
_TOLD: Mapping[str, Sequence[str]] = {
    "sent": ("exchange", "routing_key"),
    "succeeded": ("result", "runtime"),
    "failed": ("exception", "traceback"),
    "revoked": ("terminated", "expired", "signum"),
}
"""Columns that are fields of a register's event."""
_FOUND = ("found_at", "found_state", "found_result", "found_traceback", "found_group_id", "reconciled")
"""Columns of what a result backend knows: nobody is asked."""


def task_row(task_id: str, history: Sequence[TaskEvent]) -> Row:
    """The row of a task with these events."""
    kept = reference.registers(history)
    state, decisive = reference.decided(history)
    row = dict.fromkeys(_FOUND) | {
        "key": UUID(task_id),
        "id_text": None,
        "seen_at": min(event.at for event in history),
        "last_at": max(event.at for event in history),
        "state": state,
        "worker": decisive and decisive.hostname,
    }
    row |= _description(task_id, kept.get("received") or kept.get("sent"))
    for name in _REGISTERS:
        row |= _register(name, kept.get(name))
    return row


def _description(task_id: str, event: TaskEvent | None) -> Row:
    fields = event.fields if event else {}
    row = {name: fields.get(name) for name in ("name", *_OF_THE_TASK)}
    root, parent, eta = fields.get("root_id"), fields.get("parent_id"), fields.get("eta")
    itself = root == task_id
    stranger = parent if parent != task_id else None  # a retry names itself
    return row | {
        "due_at": _utc(datetime.fromisoformat(str(eta))) if eta else None,
        "root_key": UUID(str(root)) if root and not itself else None,
        "root_text": "" if itself else None,
        "parent_key": UUID(str(stranger)) if stranger else None,
        "parent_text": None,
    }


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _register(name: str, event: TaskEvent | None) -> Row:
    fields = event.fields if event else {}
    row: Row = {f"{name}_at": event and event.at, f"{name}_clock": event and event.clock}
    row |= {f"{name}_digest": event and event.digest}
    row |= {column: fields.get(column) for column in _TOLD.get(name, ())}
    row |= {"client" if name == "sent" else f"{name}_worker": event and event.hostname}
    if name in {"sent", "received"}:
        row[f"{name}_retries"] = event and fields.get("retries", 0)
    if name in {"started", "yielded"}:
        row[f"{name}_pid"] = event and event.pid
    if name == "sent":
        row["queue"] = fields.get("queue")
    if name == "failed":
        group = event and fingerprint.of_fields(fields)
        row["failed_group"] = group and [group.exception, group.message, group.frame]
    if name == "yielded":
        row |= {
            "yielded_type": event and event.type,
            "yielded_exception": fields.get("exception"),
            "yielded_traceback": fields.get("traceback"),
        }
    if name == "custom":
        row |= {"custom_type": event and event.type, "custom_fields": event and dict(fields)}
    return row


def logged(event: TaskEvent) -> Row:
    """The row of the log. Which name it counts under depends on what was known then, unless the event tells it."""
    return {
        "at": event.at,
        "key": UUID(event.task_id),
        "type": event.type,
        "worker": None if event.type == "task-sent" else event.hostname,
        "pid": event.pid,
        "clock": event.clock,
        "digest": event.digest,
        "fields": dict(event.fields),
    }


_BEATEN = (
    "pid", "freq", "active", "processed", "loadavg", "sw_ident", "sw_ver", "sw_sys", "utcoffset",
)  # fmt: skip


def worker_rows(events: Iterable[WorkerEvent]) -> dict[str, Row]:
    """The rows of the workers that sent these, by host name; `offline_at` and the last sign of life."""
    rows: dict[str, Row] = {}
    for event in sorted(events, key=lambda one: (one.at, one.clock)):
        row = rows.setdefault(event.hostname, {"offline_at": None})
        if event.type == "worker-offline":
            row["offline_at"] = event.at
            continue
        row |= {"heartbeat_at": event.at, "heartbeat_clock": event.clock}
        row |= {name: getattr(event, name) for name in _BEATEN}
        row["loadavg"] = list(event.loadavg)
    return rows
