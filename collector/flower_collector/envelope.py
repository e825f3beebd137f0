"""What a message comes in where its broker knows nothing of headers: opened without kombu.

Mostly the JSON of kombu's own transports (Redis, filesystem, memory, …), whose format is
`kombu.transport.virtual.base.Message`. kombu's class unpacks compressed bodies while it is being built, before any
check of ours; this reads four fields. An entry of our add-on's stream has the same as fields of its own.
"""

import base64
from collections.abc import Mapping
from datetime import datetime

import msgspec

from flower_collector import gate
from flower_collector.message import Message, Origin
from flower_store.reasons import Reason

MAX_ENVELOPE = gate.MAX_BODY * 4 // 3 + 65_536
"""Bytes: a body of the largest size in base64, with room for headers."""


class _DeliveryInfo(msgspec.Struct, frozen=True):
    routing_key: str | None = None


class _Properties(msgspec.Struct, frozen=True):
    body_encoding: str | None = None
    delivery_info: _DeliveryInfo = _DeliveryInfo()


class _Headers(msgspec.Struct, frozen=True):
    compression: object = None


class _Envelope(msgspec.Struct, frozen=True):
    body: str
    content_type: str | None = msgspec.field(default=None, name="content-type")
    content_encoding: str | None = msgspec.field(default=None, name="content-encoding")
    headers: _Headers | None = None
    properties: _Properties = _Properties()


_decoder = msgspec.json.Decoder(_Envelope)


def opened(data: bytes, *, origin: Origin, received_at: datetime, tag: int = 0) -> Message:
    """The message in an envelope; what is none becomes a message that the gate sets aside."""
    if len(data) > MAX_ENVELOPE:
        return _faulty(data[: gate.MAX_BODY], Reason.TOO_LARGE, origin, received_at, tag)
    try:
        return _message(_decoder.decode(data), origin, received_at, tag)
    except (ValueError, RecursionError):
        return _faulty(data, Reason.ENVELOPE, origin, received_at, tag)


def opened_mapping(payload: Mapping[str, object], *, origin: Origin, received_at: datetime, tag: int = 0) -> Message:
    """The same for an envelope that kombu has parsed already."""
    try:
        return _message(msgspec.convert(payload, _Envelope), origin, received_at, tag)
    except (ValueError, RecursionError):
        return _faulty(ascii(payload).encode(), Reason.ENVELOPE, origin, received_at, tag)


def opened_entry(fields: Mapping[bytes, bytes], origin: Origin, received_at: datetime, tag: int = 0) -> Message:
    """The same for an entry of a stream, as `flower_worker` adds it."""
    body = fields.get(b"body")
    if body is None:
        return _faulty(ascii(fields).encode()[: gate.MAX_BODY], Reason.ENVELOPE, origin, received_at, tag)
    return Message(
        body=body,
        content_type=_text(fields, b"content-type"),
        content_encoding=_text(fields, b"content-encoding"),
        compression="",
        routing_key=_text(fields, b"routing-key"),
        received_at=received_at,
        origin=origin,
        tag=tag,
    )


def _text(fields: Mapping[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode(errors="replace")


def _message(envelope: _Envelope, origin: Origin, received_at: datetime, tag: int = 0) -> Message:
    compression = envelope.headers.compression if envelope.headers else None
    return Message(
        body=_body(envelope),
        content_type=envelope.content_type or "",
        content_encoding=envelope.content_encoding or "",
        compression=str(compression) if compression else "",
        routing_key=envelope.properties.delivery_info.routing_key or "",
        received_at=received_at,
        origin=origin,
        tag=tag,
    )


def _body(envelope: _Envelope) -> bytes:
    """Raises ValueError."""
    if (envelope.properties.body_encoding or "").lower() == "base64":
        return base64.b64decode(envelope.body, validate=True)
    return envelope.body.encode()


def _faulty(data: bytes, fault: Reason, origin: Origin, received_at: datetime, tag: int = 0) -> Message:
    return Message(
        body=data,
        content_type="",
        content_encoding="",
        compression="",
        routing_key="",
        received_at=received_at,
        origin=origin,
        tag=tag,
        fault=fault,
    )
