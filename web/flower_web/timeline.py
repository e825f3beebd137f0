"""The story of a task's last attempt: sent, received, started, end, and the time between them.

An event that was missed is shown as not captured; time between two clocks that disagree is not shown at all.
"""

import itertools
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flower_store import spans, states
from flower_store.records import TaskRecord


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `gap` is the seconds to the next one, `gap_label` what they were spent on."""

    label: str
    kind: str
    at: datetime | None
    note: str = ""
    gap: float | None = None
    gap_label: str = ""
    last: bool = False
    absent: str = "not captured"
    """What stands in place of the time where there is none."""
    by_event: bool = True
    """False where a result backend told it: its time is a bound, and no time between is taken from it."""
    disagree: bool = False
    """The next event is older than this one by its sender's clock."""


_ENDS = {
    states.SUCCESS: ("Succeeded", "success"),
    states.FAILURE: ("Failed", "failure"),
    states.REVOKED: ("Revoked", "revoked"),
    states.REJECTED: ("Rejected", "rejected"),
    states.RETRY: ("Gave back, to be tried again", "retry"),
}


def timeline(task: TaskRecord) -> Sequence[Step]:
    """The steps in order. A step that is yet to come is left out; one that must have been stands as missing."""
    steps = [_sent(task), _received(task), _started(task)]
    end = _end(task)
    reached = [*steps, end] if end else steps
    while reached and reached[-1].at is None:
        reached.pop()
    return [_spaced(step, following) for step, following in itertools.zip_longest(reached, reached[1:]) if step]


def _sent(task: TaskRecord) -> Step:
    parts = [f"by {task.client}" if task.client else "", f"to queue {task.queue}" if task.queue else ""]
    return Step("Sent", "sent", task.sent_at, " ".join(filter(None, parts)), gap_label="in the broker")


def _received(task: TaskRecord) -> Step:
    label = "held by the worker until its time" if task.due_at else "held by the worker"
    return Step("Received", "received", task.received_at, gap_label=label)


def _started(task: TaskRecord) -> Step:
    if task.state == states.REVOKED and task.started_at is None and not task.terminated:
        return Step("Never started", "pending", None, absent="")
    return Step("Started", "started", task.started_at, gap_label="running")


def _end(task: TaskRecord) -> Step | None:
    if task.state not in _ENDS:
        return None
    label, kind = _ENDS[task.state]
    if task.found is not None:
        return Step(label, kind, task.found.until, "by then, as the result backend knows it", by_event=False)
    at = task.yielded_at if task.state == states.RETRY else task.ended_at
    return Step(label, kind, at, _end_note(task))


def _end_note(task: TaskRecord) -> str:
    if task.state == states.REVOKED:
        reasons = [
            "it had expired" if task.expired else "",
            f"terminated with {_signal(task.signum)}" if task.terminated and task.signum else "",
            "terminated" if task.terminated and not task.signum else "",
        ]
        return ", ".join(filter(None, reasons))
    if task.state == states.SUCCESS and task.runtime is None:
        return "the worker told no run time"
    return ""


def _signal(told: str) -> str:
    """The signal's name; workers tell its name or its number."""
    try:
        return signal.Signals(int(told)).name
    except ValueError:
        return told


def _spaced(step: Step, following: Step | None) -> Step:
    if following is None:
        return replace(step, last=True)
    if not following.by_event:
        return step
    backwards = step.at is not None and following.at is not None and following.at < step.at
    return replace(step, gap=spans.between(step.at, following.at), disagree=backwards)
