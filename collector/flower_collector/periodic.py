"""Something that is to be done again and again, by a thread that does other things too."""

from collections.abc import Callable
from datetime import timedelta


class Periodic:
    """Due at once, and then `every` so often. An `every` of nothing is never due."""

    def __init__(self, every: timedelta, *, clock: Callable[[], float]) -> None:
        self._every = every.total_seconds()
        self._clock = clock
        self._at = clock()

    def due(self) -> bool:
        """Whether it is to be done now; the next time is then set."""
        if self._every <= 0 or self._clock() < self._at:
            return False
        self._at = self._clock() + self._every
        return True

    def expire(self) -> None:
        """Make it due at once."""
        self._at = self._clock()
