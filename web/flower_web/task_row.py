"""One row of the task list, as shown."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TaskRow:
    """What the list shows of a task. Durations are seconds; None is what no event has told."""

    anchor: str
    """An id for the row's element: stable, and without the characters that a task id may hold."""
    task_id: str
    address: str
    state: str
    seen_at: datetime
    name: str | None = None
    queue: str | None = None
    worker: str | None = None
    wait: float | None = None
    run: float | None = None
    retries: int | None = None
    preview: str | None = None
    preview_label: str = "Result"
    matches: bool = True
    """False once the state has left the filter: the row stays where it is and says so."""


@dataclass(frozen=True, slots=True)
class RowsAnswer:
    """The live island's answer: rows asked for, and how many newer ones match."""

    rows: tuple[TaskRow, ...]
    now: datetime
    newer: int | None = None
    newer_text: str = ""
