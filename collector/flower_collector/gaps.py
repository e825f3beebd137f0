"""Intervals in which events were or may have been lost: noted by the thread that learns of them, for the beat."""

import threading
from dataclasses import dataclass
from datetime import datetime


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


class Gaps:
    """Gaps not yet recorded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: list[Gap] = []

    def note(self, gap: Gap) -> None:
        """Keep a gap until it can be recorded."""
        with self._lock:
            self._noted.append(gap)

    def take(self) -> list[Gap]:
        """All noted gaps, which are then the caller's to record."""
        with self._lock:
            noted, self._noted = self._noted, []
            return noted
