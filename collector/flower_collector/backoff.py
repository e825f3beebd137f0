"""How long to wait before the next attempt: exponential with full jitter, so that many who fail together part."""

from collections.abc import Callable
from datetime import timedelta

FIRST = timedelta(milliseconds=100)
MOST = timedelta(seconds=5)


class Backoff:
    """Waits that grow from FIRST to MOST and are drawn evenly from nothing to that. `draw` gives 0 to 1."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._failures = 0

    def failed(self) -> float:
        """Count a failure and return the seconds to wait."""
        ceiling = min(MOST, FIRST * (1 << min(self._failures, 16)))
        self._failures += 1
        return ceiling.total_seconds() * self._draw()

    def succeeded(self) -> None:
        """Begin again at the shortest wait."""
        self._failures = 0

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures
