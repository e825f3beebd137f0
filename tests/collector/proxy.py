"""A TCP proxy that can cut the line between a client and a server, and mend it."""

import contextlib
import socket
import threading
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Listens on a port of its own. While cut, it refuses connections, as a server does that is down."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._serve()

    def cut(self) -> None:
        """End all connections and take no new ones."""
        self._end(self._listener)
        self.break_lines()

    def break_lines(self) -> None:
        """End all connections; new ones are taken."""
        with self._lock:
            lines, self._lines = self._lines, []
        for line in lines:
            self._end(line)

    def mend(self) -> None:
        """Take connections again, on the same port."""
        self._listener = self._listen(self.port)
        self._serve()

    close = cut

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
        server = socket.create_connection(self._target)
        with self._lock:
            self._lines += [client, server]
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        self._end(source)
        self._end(sink)

    @staticmethod
    def _listen(port: int) -> socket.socket:
        return socket.create_server(("127.0.0.1", port))

    @staticmethod
    def _end(line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        line.close()


def to(url: str) -> Proxy:
    """A proxy to the server of this URL."""
    parts = urlsplit(url)
    return Proxy((parts.hostname or "127.0.0.1", parts.port or 0))
