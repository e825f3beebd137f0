"""Lines for whoever waits: what is being done, and how long it took."""

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from flower_cli.stopping import Stopped


class Progress:
    """Writes `starting PostgreSQL ... 0.9 s`; `live` writes the first half at once, where nobody else writes.

    Who reads may go away, as a terminal that is closed does: what is told is then lost, and the work goes on.
    """

    def __init__(self, stream: TextIO, *, live: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._live = live
        self._clock = clock
        self._begun = False

    @contextmanager
    def step(self, text: str) -> Generator[None]:
        """One line for what happens inside; a line said meanwhile stands before its end."""
        began = self._clock()
        if self._live:
            self._write(f"{text} ... ")
            self._begun = True
        verdict = "failed"
        try:
            yield
            verdict = f"{self._clock() - began:.1f} s"
        except Stopped:
            verdict = "stopped"
            raise
        finally:
            self._write(f"{verdict}\n" if self._begun else f"{text} ... {verdict}\n")
            self._begun = False

    def say(self, line: str) -> None:
        """Write one line."""
        self._write(f"\n{line}\n" if self._begun else f"{line}\n")
        self._begun = False

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._lose()

    def _lose(self) -> None:
        """Let the stream lead nowhere, or Python would fail once more when it flushes it at its end."""
        with suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())
