"""One row of the task list, as shown."""

from dataclasses import dataclass
from datetime import datetime

from flower_store import spans, states
from flower_store.records import MarkRecord, TaskSummary
from flower_web.addresses import Addresses
from flower_web.task_query import TaskQuery

SCHEDULED = "SCHEDULED"
"""Shown in place of a state while a task waits for its ETA; no state of the store."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """What the list shows of a task. Durations are seconds; None is what no event has told."""

    anchor: str
    """An id for the row's element: stable, and without the characters that a task id may hold."""
    task_id: str
    address: str
    state: str
    shown_state: str
    seen_at: datetime
    ended_at: datetime | None = None
    name: str | None = None
    queue: str | None = None
    worker: str | None = None
    wait: float | None = None
    run: float | None = None
    running_since: datetime | None = None
    retries: int = 0
    preview: str | None = None
    preview_label: str = "Arguments"
    mark: MarkRecord | None = None
    reconciled: bool = False
    matches: bool = True
    """False once the state or the mark has left the filter: the row stays where it is and says so."""


def row(task: TaskSummary, query: TaskQuery, addresses: Addresses, *, now: datetime) -> TaskRow:
    """The row of one task in a view of the list."""
    failed = task.error is not None
    return TaskRow(
        anchor=task.key.hex,
        task_id=task.id,
        address=addresses.task(task.id),
        state=task.state,
        shown_state=shown_state(task.state, task.due_at, now),
        seen_at=task.seen_at,
        ended_at=task.ended_at,
        name=task.name,
        queue=task.queue,
        worker=task.worker,
        wait=spans.between(task.sent_at or task.received_at, task.started_at),
        run=spans.run(task.runtime, task.started_at, task.ended_at),
        running_since=task.started_at if task.state == states.STARTED else None,
        retries=task.retries,
        preview=task.error if failed else call(task.args, task.kwargs),
        preview_label="Error" if failed else "Arguments",
        mark=task.mark,
        reconciled=task.reconciled,
        matches=query.matches(task.state, task.mark.kind if task.mark else None),
    )


def shown_state(state: str, due_at: datetime | None, now: datetime) -> str:
    """The state, or SCHEDULED for a task that nobody runs before its time has come."""
    waiting = state in {states.PENDING, states.RECEIVED} and due_at is not None and due_at > now
    return SCHEDULED if waiting else state


def call(args: str | None, kwargs: str | None) -> str | None:
    """Both kinds of arguments in one line, the empty ones left out."""
    parts = [part for part in (args, kwargs) if part and part not in {"()", "[]", "{}"}]
    return " ".join(parts) or None
