"""Serving the application for production: bound before anything starts, and a stop that is prompt."""

import asyncio
import contextlib
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Generator

import structlog
import uvicorn
from litestar import Litestar

from flower_api import app as application
from flower_api import listening
from flower_api.settings import ApiSettings

_log = structlog.get_logger(__name__)


class Server:
    """One application, one port or socket. `address` is known at once; `run` blocks until `stop` or a signal."""

    def __init__(self, app: Litestar, settings: ApiSettings) -> None:
        self._app = app
        self._settings = settings
        tls = listening.tls(settings)
        self._socket = listening.bound(settings)
        self._file = listening.file_of(settings)
        self.address = listening.address(settings, self._socket)
        self._server = _Uvicorn(_config(app, settings, tls), stopping=self._stopping)

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._socket.getsockname()[1])

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve; `ready` is called once requests are answered. Raises WrongSchema before that."""
        try:
            asyncio.run(self._serve(ready))
        finally:
            if self._socket.fileno() >= 0:  # it never came to serving
                listening.remove(self._settings, self._file)
                self._socket.close()

    def stop(self) -> None:
        """Let `run` return soon. From any thread, any number of times."""
        self._server.should_exit = True

    def _stopping(self) -> None:
        listening.remove(self._settings, self._file)
        application.stop_streams(self._app)

    async def _serve(self, ready: Callable[[], None]) -> None:
        # The lifespan is entered here and not by uvicorn, which would turn a refusal into a logged traceback.
        try:
            async with self._app.lifespan():
                self._server.ready = ready
                _log.info("API starting", address=self.address)
                await self._server.serve(sockets=[self._socket])
        except ExceptionGroup as group:
            raise _first(group) from group  # Litestar's lifespan is a task group and wraps what is raised in it
        _log.info("API stopped")


def serve(app: Litestar, settings: ApiSettings, *, ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT; `ready` gets the address. Raises CannotListen, WrongSchema."""
    server = Server(app, settings)
    server.run(lambda: ready(server.address))


class _Uvicorn(uvicorn.Server):
    """uvicorn, which tells when it answers, ends our streams first, and returns from a signal as from any stop."""

    def __init__(self, config: uvicorn.Config, *, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready: Callable[[], None] = lambda: None
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """As uvicorn's, but without raising the signal again afterwards: a stop that was asked for is no failure."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _config(app: Litestar, settings: ApiSettings, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ssl_context_factory=None if tls is None else lambda _, __: tls,
        log_config=None,  # the composition decides
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # forwarded.py
        server_header=False,
        date_header=True,
        ws="none",
        timeout_graceful_shutdown=max(1, round(settings.stop_timeout.total_seconds())),
    )


def _first(error: Exception) -> Exception:
    """The one thing that went wrong, out of groups round it."""
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error
