"""The thread that hears of commands: it wakes the desk and knows nothing else. It owns one connection."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import structlog

from flower_collector.backoff import Backoff
from flower_store import errors

log = structlog.get_logger()

LISTENING_FAILED = "listening for commands failed"

PATIENCE = 1.0
"""Seconds of one wait: a stop is noticed after it."""

Listening = Callable[[], AbstractContextManager[Callable[[float], bool]]]


class Listener(threading.Thread):
    """Listens until `finish()`; without it, commands wait a second longer."""

    def __init__(self, listening: Listening, *, wake: threading.Event, backoff: Backoff) -> None:
        super().__init__(name="flower-commands-listener", daemon=True)
        self._listening = listening
        self._wake = wake
        self._backoff = backoff
        self._stopping = threading.Event()

    def finish(self) -> None:
        """Ask for the end. May be called twice."""
        self._stopping.set()

    def run(self) -> None:
        """Connect again for as long as it takes."""
        while not self._stopping.is_set():
            try:
                self._listen()
            except errors.StoreError:
                self._stopping.wait(self._backoff.failed())  # the writing threads tell of it
            except Exception:
                log.exception(LISTENING_FAILED)
                self._stopping.wait(self._backoff.failed())

    def _listen(self) -> None:
        with self._listening() as heard:
            self._backoff.succeeded()
            self._wake.set()  # what was announced before is there already
            while not self._stopping.is_set():
                if heard(PATIENCE):
                    self._wake.set()
