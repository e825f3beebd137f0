"""The JSON in which kombu's own transports (Redis, filesystem, memory, …) carry a message, opened without kombu.

kombu's class unpacks compressed bodies while it is being built, before any check of ours; this reads four fields. The
format is `kombu.transport.virtual.base.Message`.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from flower_collector import gate
from flower_collector.reasons import Reason, Refused

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


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """What `message.Message` needs of an envelope."""

    body: bytes
    content_type: str
    content_encoding: str
    compression: str
    routing_key: str


_decoder = msgspec.json.Decoder(_Envelope)


def unwrap(data: bytes) -> Unwrapped:
    """The message in an envelope; raises Refused."""
    if len(data) > MAX_ENVELOPE:
        raise Refused(Reason.TOO_LARGE, f"{len(data)} bytes, {MAX_ENVELOPE} are allowed")
    try:
        return _unwrapped(_decoder.decode(data))
    except (ValueError, RecursionError) as error:
        raise Refused(Reason.ENVELOPE, f"not an envelope of kombu's: {error}") from None


def unwrap_mapping(payload: Mapping[str, object]) -> Unwrapped:
    """The same for an envelope that kombu has parsed already; raises Refused."""
    try:
        return _unwrapped(msgspec.convert(payload, _Envelope))
    except (ValueError, RecursionError) as error:
        raise Refused(Reason.ENVELOPE, f"not an envelope of kombu's: {error}") from None


def _unwrapped(envelope: _Envelope) -> Unwrapped:
    compression = envelope.headers.compression if envelope.headers else None
    return Unwrapped(
        body=_body(envelope),
        content_type=envelope.content_type or "",
        content_encoding=envelope.content_encoding or "",
        compression=str(compression) if compression else "",
        routing_key=envelope.properties.delivery_info.routing_key or "",
    )


def _body(envelope: _Envelope) -> bytes:
    if (envelope.properties.body_encoding or "").lower() != "base64":
        return envelope.body.encode()
    try:
        return base64.b64decode(envelope.body, validate=True)
    except binascii.Error as error:
        raise Refused(Reason.ENVELOPE, f"its body is not base64: {error}") from None
