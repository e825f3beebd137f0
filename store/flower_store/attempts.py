"""The attempts of a task that was tried more than once, told by its events, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flower_store import spans, states
from flower_store.records import EventRecord

_OUTCOMES = {
    "task-succeeded": states.SUCCESS,
    "task-failed": states.FAILURE,
    "task-retried": states.RETRY,
    "task-revoked": states.REVOKED,
    "task-rejected": states.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of the task on a worker."""

    number: int
    state: str
    worker: str | None
    started_at: datetime | None
    ended_at: datetime | None = None
    exception: str | None = None
    traceback: str | None = None

    @property
    def run(self) -> float | None:
        """Seconds it ran."""
        return spans.between(self.started_at, self.ended_at)


def attempts(events: Sequence[EventRecord]) -> Sequence[Attempt]:
    """All attempts; a run that began while another had not ended is one of its own (a worker was lost, say)."""
    found: list[Attempt] = []
    for event in events:
        if event.type == "task-started":
            found.append(Attempt(len(found) + 1, states.STARTED, event.worker, event.at))
        elif event.type in _OUTCOMES:
            _close(found, event)
    return found[::-1]


def _close(found: list[Attempt], event: EventRecord) -> None:
    if not found or found[-1].ended_at is not None:  # its start was not captured
        found.append(Attempt(len(found) + 1, states.STARTED, event.worker, None))
    found[-1] = replace(
        found[-1],
        state=_OUTCOMES[event.type],
        worker=event.worker or found[-1].worker,
        ended_at=event.at,
        exception=_text(event, "exception"),
        traceback=_text(event, "traceback"),
    )


def _text(event: EventRecord, name: str) -> str | None:
    value = (event.fields or {}).get(name)
    return value if isinstance(value, str) else None
