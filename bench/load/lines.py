"""Lines to a broker: raw bytes out, and a wait until the broker has taken them all. One thread each."""

import socket
import threading
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import amqp

from bench.load import wire
from bench.load.traffic import Message

_amqp: Any = amqp  # it ships no types


class Line(Protocol):
    """A connection that takes encoded messages."""

    def encoded(self, message: Message) -> bytes:
        """The bytes that `send` takes."""
        ...

    def send(self, encoded: bytes, messages: int) -> None:
        """Hand them to the broker; waits while it is not ready for more."""
        ...

    def settle(self) -> None:
        """Wait until the broker has processed all that was sent."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class AmqpLine:
    """To the exchange celeryev. With `confirmed`, `settle` waits for the broker's word on each message."""

    def __init__(self, url: str, *, confirmed: bool = True) -> None:
        parts = urlsplit(url)
        self._connection = _amqp.Connection(
            f"{parts.hostname}:{parts.port}",
            userid=parts.username or "guest",
            password=parts.password or "guest",
            virtual_host=parts.path.removeprefix("/") or "/",
            heartbeat=0,
        )
        self._connection.connect()
        # The driver's own second is short for a broker that pauses its publishers.
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)
        self._channel = self._connection.channel(1)
        self._channel.exchange_declare(wire.EXCHANGE, "topic", durable=True, auto_delete=False)
        self._confirmed = confirmed
        self._sent = self._taken = 0
        if confirmed:
            self._channel.confirm_select()
            self._channel.events["basic_ack"].add(self._acknowledged)

    def encoded(self, message: Message) -> bytes:
        return wire.amqp(message)

    def send(self, encoded: bytes, messages: int) -> None:
        self._connection.sock.settimeout(None)
        self._connection.transport.sock.sendall(encoded)
        self._sent += messages
        # The confirmations must be read as they come: a full socket would stop the broker from reading ours.
        while self._confirmed and self._taken < self._sent - 50_000:
            self._connection.drain_events()

    def settle(self) -> None:
        while self._confirmed and self._taken < self._sent:
            self._connection.drain_events(timeout=60)
        self._channel.exchange_declare(wire.EXCHANGE, "topic", durable=True, auto_delete=False)

    def _acknowledged(self, tag: int, multiple: bool) -> None:
        self._taken = tag if multiple else self._taken + 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


class RedisLine:
    """PUBLISH, pipelined. `heard` counts the subscribers that the server gave each message to."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379))
        self.heard = 0
        self._sent = 0
        self._answered = threading.Condition()
        self._answers = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def encoded(self, message: Message) -> bytes:
        return wire.redis(message)

    def send(self, encoded: bytes, messages: int) -> None:
        self._socket.sendall(encoded)
        self._sent += messages

    def settle(self) -> None:
        with self._answered:
            if not self._answered.wait_for(lambda: self._answers >= self._sent, timeout=60):
                raise TimeoutError(f"{self._sent - self._answers} messages were not answered")

    def _read(self) -> None:
        rest = b""
        while data := self._socket.recv(65_536):
            *whole, rest = (rest + data).split(b"\r\n")
            heard = sum(int(line[1:]) for line in whole)  # ":1" each; an error is no number, and ends the thread
            with self._answered:
                self._answers += len(whole)
                self.heard += heard
                self._answered.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._socket.close()


def line(url: str) -> Line:
    """The line that fits the URL."""
    return RedisLine(url) if url.startswith("redis") else AmqpLine(url)
