"""The thread that does the leader's longer work in the database: audits, reconciliation, retention.

Apart from the beats, which must not wait for it. It owns one `store.Writer`; a chore that fails is tried again when it
is next due, and does not keep the others from theirs.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from flower_collector.periodic import Periodic
from flower_store import errors, writes

log = structlog.get_logger()

CHORE_FAILED = "chore failed"

LOOK = timedelta(seconds=1)
"""Between looks at what is due."""


class Chore(Protocol):
    """One thing that is to be done again and again. A long one works in pieces and looks at `stopping` between them."""

    @property
    def name(self) -> str:
        """Its name in the log."""
        ...

    @property
    def every(self) -> timedelta:
        """How often; nothing is never."""
        ...

    def work(self, store: writes.Writer, stopping: threading.Event) -> None:
        """Do it once. Raises the store's errors."""


class Upkeep(threading.Thread):
    """Does its chores while `leads()`, one after the other."""

    def __init__(
        self,
        store: writes.Writer,
        chores: Sequence[Chore],
        *,
        leads: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="flower-upkeep", daemon=True)
        self._store = store
        self._chores = [(chore, Periodic(chore.every, clock=clock)) for chore in chores]
        self._leads = leads
        self._stopping = threading.Event()

    def finish(self) -> None:
        """Ask for the end. May be called twice."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `finish()`."""
        while not self._stopping.wait(LOOK.total_seconds()):
            if self._leads():
                self.work_once()
        self._store.close()

    def work_once(self) -> None:
        """Do all that is due."""
        for chore, period in self._chores:
            if not self._stopping.is_set() and period.due():
                self._do(chore)

    def _do(self, chore: Chore) -> None:
        try:
            chore.work(self._store, self._stopping)
        except errors.Unavailable:
            return  # the writing threads tell of it
        except Exception:
            log.exception(CHORE_FAILED, chore=chore.name)
