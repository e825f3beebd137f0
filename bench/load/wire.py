"""A message as bytes for a socket, made once: sending then costs a `sendall` and outruns every reader."""

import base64
import json
import struct
from functools import lru_cache

from bench.load.traffic import Message

EXCHANGE = "celeryev"
_END = b"\xce"
_METHOD, _HEADER, _BODY = 1, 2, 3
_BASIC, _PUBLISH = 60, 40
# content type, content encoding, headers, delivery mode, priority (AMQP 0-9-1, 4.2.6.1)
_FLAGS = 1 << 15 | 1 << 14 | 1 << 13 | 1 << 12 | 1 << 11
_TRANSIENT = 1
_DATABASE = 0
LARGEST_FRAME = 131_072 - 8


def amqp(message: Message) -> bytes:
    """The frames of `basic.publish` on channel 1, with the properties that a worker's dispatcher gives."""
    body = message.body
    header = struct.pack(">HHQ", _BASIC, 0, len(body)) + _properties(message.hostname)
    parts = (_frame(_BODY, body[start : start + LARGEST_FRAME]) for start in range(0, len(body), LARGEST_FRAME))
    return b"".join([_publish(message.routing_key), _frame(_HEADER, header), *parts])


def redis(message: Message) -> bytes:
    """The command PUBLISH with kombu's envelope, on the channel that kombu uses for a fanout exchange."""
    envelope = {
        "body": base64.b64encode(message.body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"hostname": message.hostname},
        "properties": {
            "delivery_mode": _TRANSIENT,
            "delivery_info": {"exchange": EXCHANGE, "routing_key": message.routing_key},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "6d5a2ad2-1a54-4cb4-8cf0-a6a7f4b1e25e",
        },
    }
    words = (b"PUBLISH", f"/{_DATABASE}.{EXCHANGE}/{message.routing_key}".encode(), json.dumps(envelope).encode())
    return b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def _frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, 1, len(payload)) + payload + _END


def _short(text: str) -> bytes:
    encoded = text.encode()
    return bytes([len(encoded)]) + encoded


@lru_cache
def _publish(routing_key: str) -> bytes:
    arguments = struct.pack(">HHH", _BASIC, _PUBLISH, 0) + _short(EXCHANGE) + _short(routing_key) + b"\0"
    return _frame(_METHOD, arguments)


@lru_cache
def _properties(hostname: str) -> bytes:
    name = hostname.encode()
    table = _short("hostname") + b"S" + struct.pack(">I", len(name)) + name
    return (
        struct.pack(">H", _FLAGS)
        + _short("application/json")
        + _short("utf-8")
        + struct.pack(">I", len(table))
        + table
        + bytes([_TRANSIENT, 0])
    )
