"""What each state looks like and means: its word is Celery's, its icon has a shape of its own.

Colour is never the only sign; the fills live in `frontend/styles/tokens.css`, the shapes in `templates/icons.svg`.
"""

from dataclasses import dataclass

from flower_store import marks, states


@dataclass(frozen=True, slots=True)
class Look:
    """One state as shown: `kind` names its icon and its fill."""

    state: str
    kind: str
    meaning: str


_LOOKS = {
    look.state: look
    for look in (
        Look(states.PENDING, "sent", "in the broker"),
        Look(states.RECEIVED, "received", "held by a worker"),
        Look(states.STARTED, "started", "running"),
        Look(states.RETRY, "retry", "will run again"),
        Look(states.SUCCESS, "success", "done"),
        Look(states.FAILURE, "failure", "failed"),
        Look(states.REVOKED, "revoked", "stopped by someone"),
        Look(states.REJECTED, "rejected", "refused by its worker"),
        Look("SCHEDULED", "scheduled", "waits for its time"),
        Look(states.UNKNOWN, "pending", "unknown: no event has told its state"),
    )
}

FILTERS = (
    states.STARTED,
    states.RECEIVED,
    states.PENDING,
    states.RETRY,
    states.FAILURE,
    states.SUCCESS,
    states.REVOKED,
    states.REJECTED,
)
"""The states that the task list offers, what is going on first."""

STACK = (states.SUCCESS, states.RETRY, states.REVOKED, states.FAILURE)
"""The end states of a throughput chart, bottom to top."""


def look(state: str) -> Look:
    """How this state looks; one that this build does not know is shown by its name."""
    return _LOOKS.get(state) or Look(state, "pending", "unknown to this version of Flower")


MARKS = {
    marks.LOST: "lost",
    marks.ENDED_UNSEEN: "unseen end",
    marks.STUCK: "stuck",
    marks.OVERDUE: "overdue",
}
"""The marks of the store in words that fit beside a state, what is worst first."""


def mark(kind: str) -> str:
    """The word of a mark; one that this build does not know, in its own."""
    return MARKS.get(kind) or kind.replace("_", " ")
