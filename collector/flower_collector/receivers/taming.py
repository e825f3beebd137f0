"""AMQP frames that py-amqp cannot read, made readable.

Names and properties are bytes that a publisher chooses, and py-amqp raises at some: text that is no UTF-8, a time of a
header past what Python knows. It then looks like a line that broke, and the message comes first again on the next one.
"""

import struct
from collections.abc import Callable, Iterable

from amqp import serialization

from flower_collector import driver

Frame = tuple[int, int, bytes]

_METHOD, _HEADER = 1, 2
_DELIVER = b"\x00\x3c\x00\x3c"
_BASIC = b"\x00\x3c"
_PROPERTIES = 12
"""Where they begin in a content header (AMQP 0-9-1, 2.3.5.2)."""

_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS = 1 << 15, 1 << 14, 1 << 13
_LONGEST = 255
UNREADABLE = "unreadable"
"""Stands for a compression that headers name which cannot be read."""


def tame(connection: driver.AmqpConnection) -> None:
    """From now on, let no frame of a message end this connection."""
    handle = connection.on_inbound_frame

    def tamed(frame: Frame) -> object:
        return handle(readable(frame))

    connection.on_inbound_frame = tamed


def readable(frame: Frame) -> Frame:
    """The frame, or where py-amqp would raise one with what can be read of it."""
    kind, channel, payload = frame
    if kind == _METHOD and payload[:4] == _DELIVER:
        return kind, channel, _kept(payload, _check_delivery, _delivery)
    if kind == _HEADER and payload[:2] == _BASIC:
        return kind, channel, _kept(payload, _check_properties, _properties)
    return frame


def _kept(payload: bytes, check: Callable[[bytes], None], mend: Callable[[bytes], bytes]) -> bytes:
    try:
        check(payload)
    except Exception:  # noqa: BLE001 - whatever a stranger's bytes do to a parser that is not ours
        return mend(payload)
    return payload


def _check_delivery(payload: bytes) -> None:
    values, _ = serialization.loads("sLbss", payload, 4)
    _check_texts(values)


def _check_properties(payload: bytes) -> None:
    properties, _ = serialization.decode_properties_basic(payload, _PROPERTIES)
    _check_texts(properties.values())


def _check_texts(values: Iterable[object]) -> None:
    """py-amqp lets halves of surrogate pairs through, which no database takes."""
    for value in values:
        if isinstance(value, str):
            value.encode()


def _delivery(payload: bytes) -> bytes:
    """Consumer's tag, delivery's tag, whether it came before, exchange, routing key."""
    consumer, at = _short(payload, 4)
    fixed, at = payload[at : at + 9], at + 9
    exchange, at = _short(payload, at)
    routing_key, _ = _short(payload, at)
    return b"".join((payload[:4], _text(consumer), fixed, _text(exchange), _text(routing_key)))


def _properties(payload: bytes) -> bytes:
    """Content type and encoding, and whether there is a compression; all others say nothing to us."""
    head = payload[:_PROPERTIES]
    try:
        flags, at = int.from_bytes(payload[_PROPERTIES : _PROPERTIES + 2], "big"), _PROPERTIES + 2
        content_type = content_encoding = headers = b""
        if flags & _CONTENT_TYPE:
            content_type, at = _short(payload, at)
        if flags & _CONTENT_ENCODING:
            content_encoding, at = _short(payload, at)
        if flags & _HEADERS:
            headers = payload[at + 4 : at + 4 + int.from_bytes(payload[at : at + 4], "big")]
    except IndexError:
        return head + struct.pack(">H", 0)
    compression = {"compression": UNREADABLE} if b"compression" in headers else {}
    table: bytes = serialization.dumps("F", [compression])
    kept = struct.pack(">H", _CONTENT_TYPE | _CONTENT_ENCODING | _HEADERS)
    return b"".join((head, kept, _text(content_type), _text(content_encoding), table))


def _short(payload: bytes, at: int) -> tuple[bytes, int]:
    """A short string and where it ends. Raises IndexError."""
    end = at + 1 + payload[at]
    return payload[at + 1 : end], end


def _text(value: bytes) -> bytes:
    """A short string of it that is UTF-8."""
    text = value.decode(errors="replace").encode()[:_LONGEST].decode(errors="ignore").encode()
    return bytes((len(text),)) + text
