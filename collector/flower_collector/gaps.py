"""Intervals in which events were or may have been lost: noted by the thread that learns of them, for the beat."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flower_store import losses

MOST = 1_000
"""Gaps that are kept one by one while the database is away; a buffer that overflows makes one every two seconds."""

SEVERAL = "several in a row, while they could not be recorded"


@dataclass(frozen=True, slots=True)
class Gap:
    """`started_at` is None where only the store knows it: when a collector of this cluster last lived.

    `reason` is one of `flower_store.losses`; `count` is the number of events lost, None where it cannot be known.
    """

    started_at: datetime | None
    ended_at: datetime
    reason: str
    detail: str = ""
    count: int | None = None

    @property
    def all_away(self) -> bool:
        """Whether it is one only if no other collector lived meanwhile."""
        return self.started_at is None and self.reason in _AWAY


_AWAY = frozenset({losses.COLLECTOR_AWAY, losses.NOT_SUBSCRIBED})


def folded(waiting: Sequence[Gap], *, most: int = MOST) -> list[Gap]:
    """At most so many gaps as they are, and the later ones of each reason as one that spans them all."""
    kept, later = list(waiting[:most]), dict[str, Gap]()
    for gap in waiting[most:]:
        later[gap.reason] = _both(later[gap.reason], gap) if gap.reason in later else gap
    return kept + list(later.values())


def _both(one: Gap, other: Gap) -> Gap:
    started_at = min(one.started_at, other.started_at) if one.started_at and other.started_at else None
    count = None if one.count is None or other.count is None else one.count + other.count
    return Gap(started_at, max(one.ended_at, other.ended_at), one.reason, SEVERAL, count)


class Gaps:
    """Gaps not yet recorded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: list[Gap] = []

    def note(self, gap: Gap) -> None:
        """Keep a gap until it can be recorded."""
        with self._lock:
            self._noted.append(gap)
            if len(self._noted) > 2 * MOST:
                self._noted = folded(self._noted)

    def take(self) -> list[Gap]:
        """All noted gaps, which are then the caller's to record."""
        with self._lock:
            noted, self._noted = self._noted, []
            return noted
