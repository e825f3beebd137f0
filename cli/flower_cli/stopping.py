"""SIGTERM, SIGINT and SIGHUP ask the process tree to stop; the end of a child wakes it up.

A queue, because `put` is the one thing that is safe inside a signal handler: an Event may be locked at that moment.
"""

import queue
import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(Exception):
    """Somebody asked to stop, in the middle of the start."""


class Stop:
    """Installed between enter and exit, in the main thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.asked = False
        self._clock = clock
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._restore: list[Callable[[], object]] = []

    def rest(self, seconds: float) -> None:
        """Wait so long, or until a signal comes."""
        try:
            self._wakes.get(timeout=seconds)
        except queue.Empty:
            return

    def pause(self, seconds: float) -> None:
        """Wait so long, whatever children do; raise Stopped when a stop is asked for."""
        end = self._clock() + seconds
        while not self.asked and (left := end - self._clock()) > 0:
            self.rest(left)
        if self.asked:
            raise Stopped

    def __enter__(self) -> Self:
        for number in ASKING:
            # Under nohup the terminal's end is none of ours.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._install(number, self._ask)
        self._install(signal.SIGCHLD, self._wake)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for restore in reversed(self._restore):
            restore()

    def _install(self, number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
        before = signal.signal(number, handler)
        self._restore.append(lambda: signal.signal(number, before))

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        self._wakes.put(None)

    def _wake(self, _number: int, _frame: FrameType | None) -> None:
        self._wakes.put(None)
