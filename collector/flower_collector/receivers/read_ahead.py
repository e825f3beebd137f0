"""Reads from an AMQP socket as much as is there, and hands it on delivery by delivery, or to py-amqp frame by frame.

py-amqp asks the kernel for each part of a frame, nine times a message, and sets the socket's time-out around each
frame; taking its frames apart costs as much again. Together that was two fifths of the collector's time.
"""

from collections.abc import Callable

from flower_collector import driver
from flower_collector.receivers import deliveries
from flower_collector.receivers.deliveries import Delivered

CHUNK = 262_144
"""Bytes asked for at once."""

_HEADER = 7
_END = 1
_FRAMES = 3
_READ = "_quick_recv"


class ReadAhead:
    """Stands between one connection and its socket. py-amqp does not know of it, and waits and fails as before."""

    def __init__(self, channel: driver.AmqpChannel) -> None:
        """Deliveries are those of this channel, which has one consumer."""
        self._channel = channel.channel_id
        self._connection = channel.connection
        self._transport = self._connection.transport
        # The one place where it reads; there is no public one.
        self._receive: Callable[[int], bytes] = getattr(self._transport, _READ)
        setattr(self._transport, _READ, self._give)
        self._data = b""
        self._at = 0

    def delivery(self) -> Delivered | None:
        """The next message, if it is what comes next and has arrived whole.

        To be asked only after something was handled whole: what a time-out left half read stands in py-amqp's buffer.
        """
        found = deliveries.parse(self._data, self._at, self._channel)
        if found is not None:
            self._at = found.end
            # A sign of life, by which py-amqp's heartbeat goes.
            self._connection.bytes_recv += _FRAMES
        return found

    def frame(self) -> bool:
        """Let py-amqp handle one frame that has arrived whole; False when there is none: the socket must be asked."""
        start, there = self._at, len(self._data) - self._at
        if there < _HEADER:
            return False
        payload = int.from_bytes(self._data[start + 3 : start + _HEADER], "big")
        if there < _HEADER + payload + _END:
            return False
        self._connection.on_inbound_frame(self._transport.read_frame())
        return True

    def _give(self, size: int) -> bytes:
        """What py-amqp asks for, or less of it; nothing when the peer has closed. May time out as the socket does."""
        if self._at == len(self._data):
            self._data, self._at = self._receive(CHUNK), 0
        piece = self._data[self._at : self._at + size]
        self._at += len(piece)
        return piece
