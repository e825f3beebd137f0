"""The one-machine tree: what is started here is stopped here, in the opposite order, however the command ends.

`flower up` and `flower demo` are two lists of what to start on it.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self

from flower_cli import child, errors, migrating
from flower_cli.child import Child
from flower_cli.configuration import Configuration
from flower_cli.declarations import PREFIX
from flower_cli.embedded import errors as embedded_errors
from flower_cli.progress import Progress
from flower_cli.stopping import Stop
from flower_cli.supervision import Supervisor

# A process answers its first request about a second after its start, most of which are imports.
POLL_SECONDS = 0.05
# After that long, twice the usual start, the reason is told; the wait goes on: a broker that is away comes back.
TELL_AFTER = timedelta(seconds=4)


class Server(Protocol):
    """An embedded server."""

    def start(self) -> str: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102
    @property
    def running(self) -> bool: ...  # noqa: D102


class Machine:
    """Entered once; all that was started is stopped at the exit."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        stop: Stop,
        progress: Progress,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._configuration = configuration
        self._stop = stop
        self._progress = progress
        self._clock = clock
        self._stack = ExitStack()
        self._servers: dict[str, Server] = {}
        self._supervisors: dict[Child, Supervisor] = {}

    def serve(self, name: str, server: Server) -> str:
        """Start an embedded server and return its URL; raises Refused or Failed with its sentence."""
        with self._progress.step(f"starting {name}"):
            self._stack.callback(server.stop)
            try:
                url = server.start()
            except embedded_errors.DidNotStart as error:
                raise errors.Failed(str(error)) from error
            except embedded_errors.EmbeddedError as error:
                raise errors.Refused(str(error)) from error
        self._servers[name] = server
        return url

    def migrate(self, url: str) -> None:
        """Bring the database to the newest schema."""
        with self._progress.step("migrating the database"):
            migrating.upgrade(self._configuration, url)

    def run(self, *children: Child) -> None:
        """Start processes; those of one call are stopped together."""
        self._stack.callback(child.stop_all, children)
        for one in children:
            one.start()
            self._supervisors[one] = Supervisor(one)

    def await_ready(self, text: str, waiting_for: Callable[[], str], *, patience: timedelta = TELL_AFTER) -> None:
        """Wait until `waiting_for()` is empty, and say what it is when that takes longer than `patience`.

        Raises Failed when a process ends meanwhile.
        """
        with self._progress.step(text):
            told, tell_at = "", self._clock() + patience.total_seconds()
            while reason := waiting_for():
                self._refuse_ended()
                if reason != told and self._clock() >= tell_at:
                    self._progress.say(reason)
                    told = reason
                self._stop.pause(POLL_SECONDS)

    def watch(self) -> None:
        """Look after all until a stop is asked for; raises Failed for what cannot be healed."""
        while not self._stop.asked:
            for name, server in self._servers.items():
                if not server.running:
                    raise errors.Failed(f"{name} ended by itself: all is stopped, its log says why")
            for supervisor in self._supervisors.values():
                supervisor.tend()
            self._stop.rest(min(supervisor.pause_seconds for supervisor in self._supervisors.values()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not (self._servers or self._supervisors):
            self._stack.close()  # nothing came to life: there is nothing to tell
            return
        with self._progress.step("stopping"):
            self._stack.close()

    def _refuse_ended(self) -> None:
        for one in self._supervisors:
            if one.status is not None:
                said = f": {one.last_words}" if one.last_words else ", as it says above"
                kind = errors.Refused if one.status == errors.Refused.exit_code else errors.Failed
                raise kind(f"the {one.name} ended with status {one.status}{said}")


def own_command(command: str) -> list[str]:
    """The command line of one of our own commands; `-P` keeps modules of the user's directory out of our way."""
    return [sys.executable, "-P", "-m", "flower_cli.main", command]


def environment(variables: Mapping[str, str], *, without: Iterable[str] = ()) -> dict[str, str]:
    """Ours, with all `FLOWER_*` variables replaced: the configuration has been read, and is handed on whole."""
    dropped = set(without)
    kept = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX) and name not in dropped
    }
    return kept | dict(variables)
