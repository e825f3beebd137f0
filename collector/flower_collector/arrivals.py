"""Workers not heard of before: noted by the writing thread, asked about themselves by the control thread."""

import threading
from collections.abc import Iterable

from flower_store.events import WorkerEvent

REMEMBERED = 10_000
"""Host names. Past it all are forgotten and count as new again: an inspection too many, no memory without end."""


class Arrivals:
    """A worker arrives when it says so, and when it is heard for the first time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._new: set[str] = set()
        self.changed = threading.Event()

    def note(self, events: Iterable[WorkerEvent]) -> None:
        """Take what workers say."""
        for event in events:
            if event.type == "worker-online" or event.hostname not in self._known:
                self._arrived(event.hostname)

    def take(self) -> list[str]:
        """Who arrived since the last call."""
        with self._lock:
            new, self._new = sorted(self._new), set()
            self.changed.clear()
            return new

    def _arrived(self, hostname: str) -> None:
        with self._lock:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
                self._new.clear()
            self._known.add(hostname)
            self._new.add(hostname)
            self.changed.set()
