"""The leader's look at tasks on which nobody seems to work."""

import threading
from collections.abc import Callable
from datetime import timedelta

from flower_store import marks, writes
from flower_store.marks import Limits, Place

PIECES = 4
"""Pieces of a sweep in one round: 20,000 tasks, well under a second, and the next round goes on from there."""


class Marking:
    """A chore: marks and unmarks, some thousand unfinished tasks at a time.

    Only while `listened()`: after our own absence every worker seems to be gone.
    """

    name = "marks"
    every = timedelta(seconds=2)

    def __init__(self, limits: Limits, *, listened: Callable[[], bool]) -> None:
        self._limits = limits
        self._listened = listened
        self._place = Place()

    def work(self, store: writes.Writer, stopping: threading.Event) -> None:
        """Go on with the sweep, to its end at most."""
        for _ in range(PIECES * len(marks.SWEEPS)):
            if stopping.is_set() or not self._listened():
                return
            place = marks.sweep(store, self._place, self._limits)
            self._place = place or Place()
            if place is None:
                return
