"""Workers not heard of before: noted by the opening thread, told and asked things by those that talk to workers."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

from flower_store.events import WorkerEvent

REMEMBERED = 10_000
"""Host names. Past it all are forgotten and count as new again: an inspection too many, no memory without end."""

STARTING = timedelta(seconds=10)
"""The longest for which a worker that says it is there may not yet listen to commands. Celery asks for its neighbours
in between, which takes a second; its first heartbeat comes from the loop that listens."""


class Arrivals:
    """A worker arrives when it says so, and when it is heard for the first time."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._new: set[str] = set()
        self._told_until: dict[str, float] = {}
        self.heard = 0
        """Events of workers so far; written by one thread."""

    def note(self, events: Iterable[WorkerEvent]) -> None:
        """Take what workers say."""
        for event in events:
            self.heard += 1
            with self._lock:
                self._note(event)

    def take(self) -> list[str]:
        """Who arrived since the last call."""
        with self._lock:
            new, self._new = sorted(self._new), set()
            return new

    def untold(self) -> list[str]:
        """Who is to be told of something now: again and again while it may not listen yet, and once when it does."""
        with self._lock:
            untold = sorted(self._told_until)
            now = self._clock()
            self._told_until = {host: until for host, until in self._told_until.items() if until > now}
            return untold

    def _note(self, event: WorkerEvent) -> None:
        starts = event.type == "worker-online"
        if starts or event.hostname not in self._known:
            self._arrived(event.hostname)
        elif event.hostname not in self._told_until:
            return
        now = self._clock()
        self._told_until[event.hostname] = now + STARTING.total_seconds() if starts else now

    def _arrived(self, hostname: str) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
            self._new.clear()
            self._told_until.clear()
        self._known.add(hostname)
        self._new.add(hostname)
