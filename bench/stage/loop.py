"""Starts the bare kombu loop (`kombu_loop`) as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.load.sender import ROOT


@dataclass(frozen=True, slots=True)
class Received:
    """Events, and when, in seconds of the epoch."""

    received: int
    began: float
    ended: float


class Loop:
    """A loop that listens."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert self._line() == "ready"

    def finish(self) -> Received:
        """Wait until it has all, or nothing comes any more."""
        return Received(**json.loads(self._line()))

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def running(url: str, *, queue: str = "", events: int, prefetch: int = 0) -> Generator[Loop]:
    """`prefetch=0` takes without acknowledgements; no queue is a subscription."""
    words = [sys.executable, "-m", "bench.stage.kombu_loop", url, queue, str(events), str(prefetch)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Loop(process)
        finally:
            process.kill()
