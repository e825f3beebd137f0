"""One server process: in a session of its own, so that Ctrl-C reaches only its owner, who stops servers in
order; and with a parent-death signal, so that a `kill -9` of the owner leaves nothing behind.

The kernel sends that signal when the *thread* that started the process ends: use a thread that stays.
"""

import errno
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from flower_cli.embedded import errors

# A quarter of the shortest start measured (valkey-server, 80 ms): polling adds little and costs nothing.
POLL_INTERVAL = timedelta(milliseconds=20)
# A server that lives for weeks may fill its log; one older generation is enough to look a fault up.
LOG_LIMIT_BYTES = 10_000_000
LOG_TAIL_BYTES = 2_000
PORTS = (20_000, 32_000)
TRIED_PORTS = 100


class Process:
    """A running server. `stop()` may be called twice."""

    def __init__(
        self, popen: subprocess.Popen[bytes], log: Path, *, log_start: int, stop_signal: signal.Signals
    ) -> None:
        self._popen = popen
        self._log = log
        self._log_start = log_start
        self._stop_signal = stop_signal

    @property
    def pid(self) -> int:
        """The process id, which is the id of its session and group, too."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._popen.poll() is None

    def wait_until(
        self,
        ready: Callable[[], bool],
        within: timedelta,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Return when `ready()` is true; raise `DidNotStart` when the process ends first or time runs out."""
        deadline = clock() + within.total_seconds()
        while not ready():
            if not self.running:
                raise errors.DidNotStart(f"{self._name} ended with status {self._popen.returncode}: {self._tail()}")
            if clock() > deadline:
                raise errors.DidNotStart(f"{self._name} was not ready after {within.seconds} s: {self._tail()}")
            wait(POLL_INTERVAL.total_seconds())

    def stop(self, patience: timedelta = timedelta(seconds=20)) -> None:
        """Ask the server to end, and kill its whole session if it does not."""
        if not self.running:
            return
        self._popen.send_signal(self._stop_signal)
        try:
            self._popen.wait(patience.total_seconds())
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server and its children at once, as `kill -9` does."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()

    @property
    def _name(self) -> str:
        return self._log.stem

    def _tail(self) -> str:
        return (
            self._log.read_bytes()[self._log_start :][-LOG_TAIL_BYTES:].decode(errors="replace").strip()
            or "its log is empty"
        )


def launch(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    stdin: bytes = b"",
    stop_signal: signal.Signals = signal.SIGINT,
) -> Process:
    """Start a server whose output goes to `log`; `prefix` is what changes its account, if anything does."""
    _turn_over(log)
    with log.open("ab") as output:
        log_start = output.tell()
        popen = subprocess.Popen(
            [*prefix, *until_death(stop_signal), *map(str, command)],
            cwd="/",
            env=None if environment is None else dict(environment),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    if popen.stdin is not None:
        _feed(popen.stdin.fileno(), stdin)
        popen.stdin.close()
    return Process(popen, log, log_start=log_start, stop_signal=stop_signal)


def free_port() -> int:
    """A TCP port of the loopback that is free at this moment; callers try again if it is taken meanwhile.

    From below Linux's range for outgoing connections, any of which may else take it before its server does.
    """
    for port in random.sample(range(*PORTS), TRIED_PORTS):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(errno.EADDRINUSE, f"{TRIED_PORTS} ports between {PORTS[0]} and {PORTS[1]} are taken")


def until_death(death_signal: signal.Signals) -> list[str]:
    """The words that make the kernel send a program this signal when we die; elsewhere than on Linux there are none."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", death_signal.name.removeprefix("SIG"), "--"] if setpriv else []


def _feed(descriptor: int, text: bytes) -> None:
    try:
        os.write(descriptor, text)
    except BrokenPipeError:
        return  # the process is gone already: `wait_until` says why


def _turn_over(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".old.log"))
