"""A private server program: its directory, held by one owner, and its port, taken when it is started."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from flower_cli.embedded import errors, process
from flower_cli.embedded.lock import DirectoryLock

# Between asking the kernel for a free port and the server taking it, another process may come first.
PORT_ATTEMPTS = 3


class Server(ABC):
    """`start()` gives the server's URL and may follow a `stop()`; as a context manager it gives the URL."""

    port_taken: str
    """What the server's log says when its port is taken."""

    def __init__(self, directory: Path, *, wait: Callable[[float], None] = time.sleep) -> None:
        self._home = directory.absolute()
        self._wait = wait
        self._lock = DirectoryLock(self._home, mode=0o700)
        self._process: process.Process | None = None

    def start(self) -> str:
        """Start the server and return its URL; raise `EmbeddedError` with what to do."""
        self._lock.take()
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server in order. May be called twice."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        self._lock.free()

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.running

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _start(self) -> str:
        """Prepare what the server needs, `_serve`, and return its URL."""

    def _serve(self, launch: Callable[[int], None]) -> int:
        """Launch the server on a free port; returns the port."""
        for attempt in range(1, PORT_ATTEMPTS + 1):
            port = process.free_port()
            try:
                launch(port)
            except errors.DidNotStart as error:
                if attempt == PORT_ATTEMPTS or self.port_taken not in str(error):
                    raise
            else:
                return port
        raise AssertionError("unreachable: the last attempt returns or raises")
