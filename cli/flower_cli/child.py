"""One process of our own: in a session of its own, so that Ctrl-C reaches only the tree's root, which stops all in
order; and with a parent-death signal, so that a `kill -9` of the root stops it, too.

Settings reach it by the environment, where other users cannot read a secret; a command line everybody can.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from flower_cli.embedded import process

LOG_TAIL_BYTES = 2_000


class Child:
    """A program that can be started again after it ended. Without a log it writes where we write."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        log: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGTERM,
        patience: timedelta = timedelta(seconds=20),
    ) -> None:
        """`patience` is how long a stop waits before it kills the child and all its children; `death_signal` is what
        the kernel sends it when we are killed, and everything that it needs with us.
        """
        self.name = name
        self._command = command
        self._environment = environment
        self._log = log
        self._stop_signal = stop_signal
        self._death_signal = death_signal
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program. The kernel's parent is the calling thread: use one that stays."""
        output = None if self._log is None else self._log.open("ab")
        try:
            self._process = subprocess.Popen(
                [*process.until_death(self._death_signal), *self._command],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
            )
        finally:
            if output:
                output.close()

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it lives."""
        return None if self._process is None else self._process.poll()

    @property
    def last_words(self) -> str:
        """The end of its log, if it has one of its own."""
        if self._log is None or not self._log.exists():
            return ""
        return self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()

    def ask_to_stop(self) -> None:
        """Send the stop signal and return at once."""
        if self._process is not None and self.running:
            self._process.send_signal(self._stop_signal)

    def stop(self) -> None:
        """Ask, wait, and kill its whole session if it does not end; may be called twice."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(self._patience.total_seconds())
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def stop_all(children: Sequence[Child]) -> None:
    """Stop all at once: each may take its time, but they take it together."""
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop()
