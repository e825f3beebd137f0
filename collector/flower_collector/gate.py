"""What a message may do to us, decided on its bytes before anything is unpacked; then its events, one by one.

Pure. It never raises: what cannot land comes out set aside, with its reason, and does not spoil its neighbours. Only
JSON is read: pickle would run the sender's code, and a 370-byte bz2 message took 989 MB when it was inflated.
"""

import json
from collections import Counter
from collections.abc import Sequence

import msgspec

from flower_collector import decoder, probe
from flower_collector.message import Message
from flower_collector.reasons import Refused
from flower_store import moments
from flower_store.events import MAX_NAME, SetAside, TaskEvent, WorkerEvent
from flower_store.reasons import Reason

MAX_BODY = 16 * 1024**2
"""Bytes of a message: what RabbitMQ 4 carries. A 1 MB exception makes an event of 2 MB, and up to 24 travel as one."""

MAX_EVENTS = 10_000
"""Events in one message; Celery sends 24 at most."""

CONTENT_TYPE = "application/json"
ENCODINGS = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})

_list_of_events = msgspec.json.Decoder(list[msgspec.Raw])
_python_json = json.JSONDecoder()


class Opened(msgspec.Struct):
    """What one message held."""

    tasks: list[TaskEvent] = []
    workers: list[WorkerEvent] = []
    aside: list[SetAside] = []
    echoes: list[probe.Echo] = []
    not_kept: int = 0
    clocks_clamped: int = 0


def open_message(message: Message) -> Opened:
    """Everything in this message, sorted by what becomes of it."""
    opened = Opened()
    try:
        elements = _elements(message)
    except Refused as refused:
        opened.aside.append(set_aside(message, message.body, refused.reason, refused.detail))
        return opened
    received = moments.micros(message.received_at)
    for raw in elements:
        _take(opened, message, raw, received)
    return opened


def set_aside(message: Message, body: bytes, reason: Reason, detail: str) -> SetAside:
    """The record of something that could not be taken as it was."""
    return SetAside(
        received_at=message.received_at,
        reason=reason,
        detail=_printable(detail),
        routing_key=_printable(message.routing_key),
        content_type=_printable(message.content_type),
        body=body,
    )


def _take(opened: Opened, message: Message, raw: bytes, received: int) -> None:
    try:
        decoded = decoder.decode(raw, received=received)
    except decoder.IsProbe:
        _take_echo(opened, message, raw)
        return
    except Refused as refused:
        opened.aside.append(set_aside(message, raw, refused.reason, refused.detail))
        return
    event = decoded.event
    if isinstance(event, TaskEvent):
        opened.tasks.append(event)
    elif isinstance(event, WorkerEvent):
        opened.workers.append(event)
    else:
        opened.not_kept += 1
    opened.clocks_clamped += decoded.clock_clamped
    if decoded.changed:
        for reason in sorted(decoded.changed):
            opened.aside.append(set_aside(message, raw, reason, "the event is stored with this mended"))


def _take_echo(opened: Opened, message: Message, raw: bytes) -> None:
    try:
        opened.echoes.append(probe.parse(raw, received_at=message.received_at))
    except Refused as refused:
        opened.aside.append(set_aside(message, raw, refused.reason, refused.detail))


def _elements(message: Message) -> Sequence[bytes]:
    """The bytes of each event; raises Refused when the message as a whole cannot be read."""
    _check(message)
    body = message.body.strip()
    if not body.startswith(b"["):
        return (body,)
    try:
        elements = [bytes(raw) for raw in _list_of_events.decode(body)]
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, "nested too deeply to be read") from None
    except ValueError:
        elements = _split_leniently(body)
    if len(elements) > MAX_EVENTS:
        raise Refused(Reason.TOO_MANY, f"{len(elements)} events, {MAX_EVENTS} are allowed")
    return elements


def _check(message: Message) -> None:
    if message.fault is not None:
        raise Refused(message.fault, "the message is not in the envelope of Celery's transport")
    if len(message.body) > MAX_BODY:
        raise Refused(Reason.TOO_LARGE, f"{len(message.body)} bytes, {MAX_BODY} are allowed")
    if message.compression:
        raise Refused(Reason.COMPRESSED, f"compressed with {message.compression[:100]!r}")
    if message.content_type.lower() != CONTENT_TYPE:
        raise Refused(Reason.CONTENT_TYPE, f"{message.content_type[:100]!r} is not {CONTENT_TYPE}")
    if message.content_encoding.lower() not in ENCODINGS:
        raise Refused(Reason.CONTENT_ENCODING, f"{message.content_encoding[:100]!r} is not UTF-8")


def _split_leniently(body: bytes) -> list[bytes]:
    """The elements of a list of which one is not JSON to the letter (NaN, half a surrogate pair)."""
    try:
        text = body.decode()
        return _scan(text)
    except UnicodeDecodeError:
        raise Refused(Reason.NOT_UTF8, "its text is not UTF-8") from None
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, "nested too deeply to be read") from None
    except (ValueError, IndexError) as error:
        raise Refused(Reason.NOT_JSON, f"not JSON: {error}") from None


def _scan(text: str) -> list[bytes]:
    elements: list[bytes] = []
    position, separator = 0, text[0]
    while separator in "[,":
        start = _skip_space(text, position + 1)
        _, end = _python_json.raw_decode(text, start)
        elements.append(text[start:end].encode())
        position = _skip_space(text, end)
        separator = text[position]
    if separator != "]" or position != len(text) - 1:
        raise ValueError(f"unexpected character at {position}")
    return elements


def _skip_space(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position


def _printable(text: str) -> str:
    return text[:MAX_NAME].replace("\0", "␀").encode(errors="replace").decode()


def counted(aside: Sequence[SetAside]) -> Counter[str]:
    """How many were set aside for each reason."""
    return Counter(one.reason for one in aside)
