"""Whether something outside answers, as the thread that uses it says; read by any thread."""

import threading
from collections.abc import Callable
from datetime import timedelta


class Availability:
    """Unknown at first, which is not available."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known = False
        self._away_since: float | None = None

    def answered(self) -> bool:
        """It worked just now; returns whether that is news."""
        with self._lock:
            news = not self._known or self._away_since is not None
            self._known, self._away_since = True, None
            return news

    def failed(self) -> bool:
        """It did not work just now; returns whether that is news."""
        with self._lock:
            news = self._away_since is None
            if news:
                self._away_since = self._clock()
            return news

    @property
    def available(self) -> bool:
        """Whether the last attempt worked; False before the first."""
        with self._lock:
            return self._known and self._away_since is None

    def away_for(self) -> timedelta:
        """How long it has been failing; nothing while it works."""
        with self._lock:
            since = self._away_since
        return timedelta(seconds=self._clock() - since) if since is not None else timedelta(0)
