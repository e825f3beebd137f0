"""Deliveries read from the bytes of their three AMQP frames (AMQP 0-9-1, 2.3.5 and 4.2), where all of them are there.

Only what nearly all events are: the rest, and whatever looks odd, is py-amqp's, which takes five times as long.
"""

import struct
from struct import Struct
from typing import NamedTuple

_METHOD, _HEADER, _BODY = 1, 2, 3
_FRAME_HEADER = 7
_FRAME_END = 0xCE
_DELIVER = b"\x00\x3c\x00\x3c"
_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS = 1 << 15, 1 << 14, 1 << 13
_MORE_FLAGS = 1

_frame = Struct(">BHI").unpack_from
_tag = Struct(">Q").unpack_from
_content = Struct(">HHQH").unpack_from
_length = Struct(">I").unpack_from


class Delivered(NamedTuple):
    """A message as it was delivered; `end` is where the next frame begins."""

    tag: int
    routing_key: str
    content_type: str
    content_encoding: str
    body: bytes
    end: int = 0


def parse(data: bytes, at: int, channel: int) -> Delivered | None:
    """The delivery on this channel that begins there, or None where py-amqp should look: it may not be all here."""
    try:
        return _parse(data, at, channel)
    except (IndexError, ValueError, struct.error):
        return None


def _parse(data: bytes, at: int, channel: int) -> Delivered | None:
    there = len(data)
    if there - at < 3 * (_FRAME_HEADER + 1):
        return None
    kind, number, size = _frame(data, at)
    method = at + _FRAME_HEADER
    header = method + size + 1
    if kind != _METHOD or number != channel or data[method : method + 4] != _DELIVER or there - header < _FRAME_HEADER:
        return None
    kind, number, size = _frame(data, header)
    content = header + _FRAME_HEADER
    body = content + size + 1
    if kind != _HEADER or number != channel or there - body < _FRAME_HEADER:
        return None
    _, _, length, flags = _content(data, content)
    kind, number, size = _frame(data, body)
    begin = body + _FRAME_HEADER
    end = begin + size
    if kind != _BODY or number != channel or size != length or end >= there or flags & _MORE_FLAGS:
        return None
    if not data[header - 1] == data[body - 1] == data[end] == _FRAME_END:
        return None
    tag, routing_key = _method(data, method + 4)
    properties = _properties(data, content + 14, flags)
    return properties and Delivered(tag, routing_key, *properties, data[begin:end], end + 1)


def _method(data: bytes, at: int) -> tuple[int, str]:
    """Tag and routing key; between them are a flag and the exchange, before them the consumer's tag."""
    at += 1 + data[at]
    tag: int = _tag(data, at)[0]
    at += 9
    at += 1 + data[at]
    return tag, data[at + 1 : at + 1 + data[at]].decode()


def _properties(data: bytes, at: int, flags: int) -> tuple[str, str] | None:
    """Content type and encoding; None where the body may be compressed, as a header would tell (kombu)."""
    content_type = content_encoding = ""
    if flags & _CONTENT_TYPE:
        content_type = data[at + 1 : at + 1 + data[at]].decode()
        at += 1 + data[at]
    if flags & _CONTENT_ENCODING:
        content_encoding = data[at + 1 : at + 1 + data[at]].decode()
        at += 1 + data[at]
    if flags & _HEADERS and b"compression" in data[at + 4 : at + 4 + _length(data, at)[0]]:
        return None
    return content_type, content_encoding
