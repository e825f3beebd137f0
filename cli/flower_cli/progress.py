"""Lines for whoever waits: what is being done, and how long it took."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TextIO

from flower_cli.stopping import Stopped


class Progress:
    """Writes `starting PostgreSQL ... 0.9 s`; `live` writes the first half at once, where nobody else writes."""

    def __init__(self, stream: TextIO, *, live: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._live = live
        self._clock = clock

    @contextmanager
    def step(self, text: str) -> Generator[None]:
        """One line for what happens inside."""
        began = self._clock()
        if self._live:
            self._write(f"{text} ... ")
        verdict = "failed"
        try:
            yield
            verdict = f"{self._clock() - began:.1f} s"
        except Stopped:
            verdict = "stopped"
            raise
        finally:
            self._write(f"{verdict}\n" if self._live else f"{text} ... {verdict}\n")

    def say(self, line: str) -> None:
        """Write one line."""
        self._write(line + "\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
