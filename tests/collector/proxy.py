"""A TCP proxy: the line between a client and a server, to be cut, stalled, slowed and mended."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Listens on a port of its own. While cut, it refuses connections, as a server does that is down."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._serving = True
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self.delay = 0.0
        """Seconds that each piece of data waits."""
        self.breaks: Callable[[bytes], bool] = _never
        """Whether the lines break once the server has been sent this piece, such as the one with a COMMIT."""
        self.breaks_before: Callable[[bytes], bool] = _never
        """The same, but the server is never sent the piece."""
        self.breaks_at_answer: Callable[[bytes], bool] = _never
        """Whether the lines break with this piece of the server's on its way: the client never sees it."""
        self._serve()

    def cut(self) -> None:
        """End all connections and take no new ones."""
        if self._serving:
            self._serving = False
            self._end(self._listener)
            self._listener = self._held()
        self.break_lines()

    def break_lines(self) -> None:
        """End all connections; new ones are taken."""
        with self._lock:
            lines, self._lines = self._lines, []
        for line in lines:
            self._end(line)

    def mend(self) -> None:
        """Take connections again, on the same port."""
        if not self._serving:
            self._serving = True
            self._listener.listen()
            self._serve()

    def stall(self) -> None:
        """Let nothing through, and tell nobody, as a network does that loses every packet."""
        self._flows.clear()

    def flow(self) -> None:
        """Let through again what was held back, and all that comes."""
        self._flows.set()

    def heal(self) -> None:
        """Whatever was done to it is over."""
        self.delay = 0.0
        self.breaks = self.breaks_before = self.breaks_at_answer = _never
        self.flow()
        self.mend()

    def lead_to(self, url: str) -> None:
        """Connect to this server from now on."""
        self._target = _address(url)

    def close(self) -> None:
        """Cut it for good; may be called twice."""
        self.cut()
        self._listener.close()
        self.flow()

    def url(self, original: str) -> str:
        """The URL of what is behind it, by way of it."""
        parts = urlsplit(original)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition(":")[0] + f":{self.port}"))

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.accepted += 1
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            self._end(client)
            return
        with self._lock:
            self._lines += [client, server]
        if not self._serving:  # it was cut meanwhile
            self.break_lines()
        threading.Thread(target=self._copy, args=(client, server, self._asks, self._told), daemon=True).start()
        threading.Thread(target=self._copy, args=(server, client, self._answers, _ignored), daemon=True).start()

    def _copy(
        self,
        source: socket.socket,
        sink: socket.socket,
        stops: Callable[[bytes], bool],
        told: Callable[[bytes], None],
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._flows.wait()
                if self.delay:
                    time.sleep(self.delay)
                if stops(data):
                    self.break_lines()
                    break
                sink.sendall(data)
                told(data)
        self._end(source)
        self._end(sink)

    def _asks(self, data: bytes) -> bool:
        return self.breaks_before(data)

    def _answers(self, data: bytes) -> bool:
        return self.breaks_at_answer(data)

    def _told(self, data: bytes) -> None:
        if self.breaks(data):
            self.break_lines()

    def _held(self) -> socket.socket:
        """The port without anybody who listens: left free, a client that tries it may be given it as its own."""
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", self.port))
        return held

    @staticmethod
    def _end(line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        line.close()


def _never(_data: bytes) -> bool:
    return False


def _ignored(_data: bytes) -> None:
    """What a server says breaks nothing."""


def to(url: str) -> Proxy:
    """A proxy to the server of this URL."""
    return Proxy(_address(url))


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "127.0.0.1", parts.port or 0)
