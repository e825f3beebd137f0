"""A batch of events folded into one row a task, before it reaches the database.

A statement may not touch a row twice, and folding first turns four events into one write. The fold keeps, for each
register, the event with the largest key (`registers.py`); the database merges the result with what it holds by the
same keys.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from flower_store import registers
from flower_store.events import TaskEvent

Key = tuple[int, ...]
Mark = tuple[int, int]
"""What tells events of one task apart: time and digest."""

_SLOTS: Final = {register.name: slot for slot, register in enumerate(registers.ALL)}
_RECEIVED: Final = _SLOTS["received"]
_SENT: Final = _SLOTS["sent"]
_NO_WINNERS: Final[list[tuple[Key, TaskEvent] | None]] = [None] * len(_SLOTS)


class Folded:
    """The events of one task, each once; those that still matter, by register; its first and last times."""

    __slots__ = ("events", "last", "seen", "winners")

    def __init__(self, event: TaskEvent) -> None:
        micros = event.micros
        self.seen = micros
        self.last = micros
        self.events = {(micros, event.digest): event}
        self.winners: list[tuple[Key, TaskEvent] | None] = _NO_WINNERS.copy()
        self._register(event)

    def add(self, event: TaskEvent) -> None:
        """Take one more event; order and repetition do not matter."""
        micros = event.micros
        mark = (micros, event.digest)
        if mark in self.events:
            return
        self.events[mark] = event
        self.seen = min(self.seen, micros)
        self.last = max(self.last, micros)
        self._register(event)

    def _register(self, event: TaskEvent) -> None:
        register = registers.register_of(event.type, event.fields)
        key: Key = (event.micros, event.clock, event.digest)
        if register.by_retries:
            key = (retries(event.fields), *key)
        slot = _SLOTS[register.name]
        found = self.winners[slot]
        if found is None or key > found[0]:
            self.winners[slot] = (key, event)

    @property
    def described(self) -> TaskEvent | None:
        """The event that says what the task is: the last received one, or the last sent one."""
        found = self.winners[_RECEIVED] or self.winners[_SENT]
        return found and found[1]


def fold(events: Iterable[TaskEvent]) -> dict[str, Folded]:
    """Folded events by task id."""
    tasks: dict[str, Folded] = {}
    for event in events:
        folded = tasks.get(event.task_id)
        if folded is None:
            tasks[event.task_id] = Folded(event)
        else:
            folded.add(event)
    return tasks


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
    if isinstance(value, float):
        return value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else None


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
