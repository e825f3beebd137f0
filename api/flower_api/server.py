"""Serving the application for production: one port, bound before anything starts, and a stop that is prompt."""

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Generator

import structlog
import uvicorn
from litestar import Litestar

from flower_api import app as application
from flower_api.settings import ApiSettings
from flower_store.settings import SettingError

_log = structlog.get_logger(__name__)


class CannotListen(SettingError):
    """The address or the port cannot be had."""


class Server:
    """One application on one port. `address` is known from the beginning; `run` blocks until `stop` or a signal."""

    def __init__(self, app: Litestar, settings: ApiSettings) -> None:
        self._app = app
        self._socket = _bound(settings)
        host, self.port = self._socket.getsockname()[:2]
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{self.port}{settings.root}"
        self._server = _Uvicorn(_config(app, settings), stopping=lambda: application.stop_streams(app))

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve; `ready` is called once requests are answered. Raises WrongSchema before that."""
        try:
            asyncio.run(self._serve(ready))
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Let `run` return soon. From any thread, any number of times."""
        self._server.should_exit = True

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


def _config(app: Litestar, settings: ApiSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,  # the composition decides
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # whom a proxy may speak for is a question of access control
        server_header=False,
        date_header=True,
        ws="none",
        timeout_graceful_shutdown=max(1, round(settings.stop_timeout.total_seconds())),
    )


def _first(error: Exception) -> Exception:
    """The one thing that went wrong, out of groups round it."""
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def _bound(settings: ApiSettings) -> socket.socket:
    host, port = settings.address, settings.port
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListen("address", host, f"is no address of this machine ({error.strerror})") from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(where)
        made.listen(2048)
    except OSError as error:
        made.close()
        raise _refused(error, settings) from error
    made.setblocking(False)
    return made


def _refused(error: OSError, settings: ApiSettings) -> CannotListen:
    if error.errno == errno.EADDRINUSE:
        return CannotListen("port", settings.port, f"is taken by another program on {settings.address}")
    if error.errno == errno.EACCES:
        return CannotListen("port", settings.port, "may not be opened by this user: take one above 1023")
    return CannotListen("address", settings.address, f"cannot be listened on ({error.strerror})")
