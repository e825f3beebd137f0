"""Starts a child again that ended by itself, a little later each time; gives up when it keeps on ending.

Restarting heals what passes, such as memory that ran out. What does not pass must not look alive.
"""

import time
from collections.abc import Callable
from typing import Protocol

import structlog

from flower_cli import errors

MOST_RESTARTS = 5
# Pauses of 1, 2, 4, 8 and 16 s: half a minute for what is short of something to come back.
FIRST_PAUSE_SECONDS = 1.0
# A child that has lived so long is healthy: what ends it then is another story.
HEALTHY_AFTER_SECONDS = 60.0


class Restartable(Protocol):
    """What is supervised."""

    name: str

    @property
    def running(self) -> bool: ...  # noqa: D102
    @property
    def status(self) -> int | None: ...  # noqa: D102
    def start(self) -> None: ...  # noqa: D102


class Supervisor:
    """Looks after one child that was started a moment ago, whenever `tend()` is called."""

    def __init__(self, child: Restartable, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._child = child
        self._clock = clock
        self._started = clock()
        self._ends = 0
        self._start_at: float | None = None
        self._log: structlog.stdlib.BoundLogger = structlog.get_logger("flower")

    def tend(self) -> None:
        """Start the child again when it is time; raises Failed when it has ended too often."""
        if self._child.running:
            return
        if self._start_at is None:
            self._start_at = self._next_start()
        if self._clock() >= self._start_at:
            self._child.start()
            self._started, self._start_at = self._clock(), None

    @property
    def pause_seconds(self) -> float:
        """How long nothing needs to be done here."""
        return HEALTHY_AFTER_SECONDS if self._start_at is None else max(0.0, self._start_at - self._clock())

    def _next_start(self) -> float:
        healthy = self._clock() - self._started >= HEALTHY_AFTER_SECONDS
        self._ends = 1 if healthy else self._ends + 1
        if self._ends > MOST_RESTARTS:
            raise errors.Failed(
                f"the {self._child.name} ended {self._ends} times in a row, at last with status "
                f"{self._child.status}: all is stopped, its log says why"
            )
        pause = FIRST_PAUSE_SECONDS * (1 << (self._ends - 1))
        self._log.error("process ended", process=self._child.name, status=self._child.status, restart_in=pause)
        return self._clock() + pause
