"""Whether something outside answers, as the thread that uses it says; read by any thread."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Availability:
    """Unknown at first, which is not available."""

    def __init__(self, clock: Callable[[], float], *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._away_at: datetime | None = now()

    def answered(self) -> bool:
        """It worked just now; returns whether that is news."""
        with self._lock:
            news = self._away_at is not None
            self._away_since = self._away_at = None
            return news

    def failed(self) -> bool:
        """It did not work just now; returns whether that is news."""
        with self._lock:
            news = self._away_since is None
            if news:
                self._away_since = self._clock()
                self._away_at = self._away_at or self._now()
            return news

    @property
    def available(self) -> bool:
        """Whether the last attempt worked; False before the first."""
        with self._lock:
            return self._away_at is None

    @property
    def answers(self) -> bool | None:
        """Whether the last attempt worked; None while the first one has not ended."""
        with self._lock:
            return None if self._away_at is not None and self._away_since is None else self._away_at is None

    @property
    def away_at(self) -> datetime | None:
        """Since when it does not answer: from the start where it never did; None while it does."""
        with self._lock:
            return self._away_at

    def away_for(self) -> timedelta:
        """How long it has been failing; nothing while it works."""
        with self._lock:
            since = self._away_since
        return timedelta(seconds=self._clock() - since) if since is not None else timedelta(0)
