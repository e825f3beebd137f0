"""A batch of events folded into one row a task, before it reaches the database.

A statement may not touch a row twice, and folding first turns four events into one write. The fold keeps, for each
register, the event with the largest key (`registers.py`); the database merges the result with what it holds by the
same keys.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from flower_store import ids, registers
from flower_store.events import TaskEvent

Key = tuple[int | datetime, ...]


class Folded:
    """The events of one task that still matter, and its first and last times."""

    __slots__ = ("last", "seen_at", "winners")

    def __init__(self, event: TaskEvent) -> None:
        self.seen_at = event.at
        self.last = (event.at, event.clock)
        self.winners: dict[str, tuple[Key, TaskEvent]] = {}

    def add(self, event: TaskEvent) -> None:
        """Take one event; order and repetition do not matter."""
        at = event.at
        self.seen_at = min(self.seen_at, at)
        last = (at, event.clock)
        self.last = max(self.last, last)
        register = registers.register_of(event.type, requeue=bool(event.fields.get("requeue")))
        key = _key(register, event)
        found = self.winners.get(register.name)
        if found is None or key > found[0]:
            self.winners[register.name] = (key, event)

    def winner(self, register: registers.Register) -> TaskEvent | None:
        """The event that this register keeps."""
        found = self.winners.get(register.name)
        return found and found[1]

    @property
    def described(self) -> TaskEvent | None:
        """The event that says what the task is: the last received one, or the last sent one."""
        return self.winner(registers.RECEIVED) or self.winner(registers.SENT)


def fold(events: Iterable[TaskEvent]) -> dict[str, Folded]:
    """Folded events by task id."""
    tasks: dict[str, Folded] = {}
    for event in events:
        folded = tasks.get(event.task_id)
        if folded is None:
            folded = tasks[event.task_id] = Folded(event)
        folded.add(event)
    return tasks


def _key(register: registers.Register, event: TaskEvent) -> Key:
    if register.by_retries:
        return (retries(event.fields), event.at, event.clock, event.digest)
    return (event.at, event.clock, event.digest)


def retries(fields: Mapping[str, object]) -> int:
    """How often the task was retried before this event; 0 where the event does not say."""
    value = fields.get("retries")
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def text(fields: Mapping[str, object], name: str) -> str | None:
    """A field as text: Celery sends representations; anything else that a client sends becomes JSON text."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def number(fields: Mapping[str, object], name: str) -> float | None:
    """A field as a number; null and anything else is None (Celery 5.7 can send `runtime: null`)."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def flag(fields: Mapping[str, object], name: str) -> bool | None:
    """A field as a truth value, None where it is neither."""
    value = fields.get(name)
    return value if isinstance(value, bool) else None


def due_at(fields: Mapping[str, object]) -> datetime | None:
    """The ETA as a time; a naive one is UTC, as Celery sends it. None where it cannot be read."""
    value = fields.get("eta")
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def relation(task_id: str, fields: Mapping[str, object], name: str) -> str | None:
    """The id of a related task. A retry names itself as its parent (Celery): that is no relation."""
    value = fields.get(name)
    if not isinstance(value, str) or not value or (name == "parent_id" and value == task_id):
        return None
    return value


def odd_relation(related: str | None) -> str | None:
    """The text of a related id, where its key does not say it."""
    return related and ids.odd_text(related)
