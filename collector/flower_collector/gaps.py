"""Intervals in which events were or may have been lost: noted by the thread that learns of them, for the beat."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from flower_store import losses

MOST = 1_000
"""Gaps that are kept one by one while the database is away; a buffer that overflows makes one every two seconds."""

SEVERAL = "several in a row, while they could not be recorded"

JOINED = timedelta(seconds=1)
"""Losses of one reason that are no further apart are one: a spool that is full drops some with each transaction."""


@dataclass(frozen=True, slots=True)
class Gap:
    """`started_at` is None where only the store knows it: when a collector of this cluster last lived.

    `reason` is one of `flower_store.losses`; `count` is the number of events lost, None where it cannot be known, and
    a lower bound where it is `at_least` that. `since_stored` says that losses before `started_at` may have gone
    unseen: the gap then begins with the last event that the store has from before.

    Two gaps of one `identity` are one loss that was found twice, as it is after a kill. `recorded` is set once the gap
    is committed: until then its finder keeps what tells of it where a kill cannot reach it, at the broker.
    """

    started_at: datetime | None
    ended_at: datetime
    reason: str
    detail: str = ""
    count: int | None = None
    at_least: bool = False
    since_stored: bool = False
    identity: UUID | None = None
    recorded: threading.Event | None = field(default=None, compare=False)

    @property
    def all_away(self) -> bool:
        """Whether it is one only if no other collector lived meanwhile."""
        return self.started_at is None and self.reason in _AWAY

    @property
    def found_again(self) -> bool:
        """Whether its finder finds it again if it is not recorded."""
        return self.recorded is not None

    @property
    def urgent(self) -> bool:
        """Whether it is to be recorded before the next beat: a kill until then would hide it, or somebody waits."""
        return self.found_again or self.reason in _HIDDEN_BY_A_KILL


_AWAY = frozenset({losses.COLLECTOR_AWAY, losses.NOT_SUBSCRIBED})
_HIDDEN_BY_A_KILL = frozenset({losses.BROKER_RESTARTED, losses.QUEUE_MISSING, losses.STREAM_LOST})
_DROPPED = frozenset({losses.BUFFER_FULL, losses.SPOOL_FULL})


def folded(waiting: Sequence[Gap], *, most: int = MOST) -> list[Gap]:
    """At most so many gaps as they are, and the later ones of each reason as one that spans them all.

    Those that somebody waits for stay as they are; a finder waits for one at a time.
    """
    awaited = [gap for gap in waiting if gap.found_again]
    others = [gap for gap in waiting if not gap.found_again]
    kept, later = others[:most], dict[str, Gap]()
    for gap in others[most:]:
        later[gap.reason] = _both(later[gap.reason], gap, SEVERAL) if gap.reason in later else gap
    return awaited + kept + list(later.values())


def _both(one: Gap, other: Gap, detail: str) -> Gap:
    return replace(
        one,
        started_at=min(one.started_at, other.started_at) if one.started_at and other.started_at else None,
        ended_at=max(one.ended_at, other.ended_at),
        detail=detail,
        count=None if one.count is None and other.count is None else (one.count or 0) + (other.count or 0),
        at_least=one.at_least or other.at_least or (one.count is None) != (other.count is None),
    )


class Gaps:
    """Gaps not yet recorded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: list[Gap] = []
        self._urgent = threading.Event()

    def note(self, gap: Gap) -> None:
        """Keep a gap until it can be recorded."""
        with self._lock:
            if self._noted and _continues(self._noted[-1], gap):
                self._noted[-1] = _both(self._noted[-1], gap, gap.detail)
            else:
                self._noted.append(gap)
            if len(self._noted) > 2 * MOST:
                self._noted = folded(self._noted)
        if gap.urgent:
            self.wake()

    def take(self) -> list[Gap]:
        """All noted gaps, which are then the caller's to record."""
        with self._lock:
            noted, self._noted = self._noted, []
            return noted

    @property
    def urgent(self) -> bool:
        """Whether one is noted that should not wait for a beat."""
        with self._lock:
            return any(gap.urgent for gap in self._noted)

    def wake(self) -> None:
        """End the wait of `await_urgent`."""
        self._urgent.set()

    def await_urgent(self, timeout: float) -> None:
        """Wait (seconds) until there is a gap that should not wait, or until woken."""
        if self._urgent.wait(timeout):
            self._urgent.clear()


def _continues(last: Gap, gap: Gap) -> bool:
    if gap.reason not in _DROPPED or last.reason != gap.reason or last.started_at is None or gap.started_at is None:
        return False
    return last.started_at <= gap.started_at <= last.ended_at + JOINED
