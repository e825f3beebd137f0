"""A message of which py-amqp cannot read the names or properties is one message, and not the end of its line."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from amqp import Message, serialization
from tests.collector.conftest import Query
from tests.collector.messages import fields
from tests.collector.publishing import TASKS, Publisher
from tests.waiting import eventually

from flower_collector.receivers import taming
from flower_collector.service import Collector

_amqp_message: Any = Message
DELIVER = b"\x00\x3c\x00\x3c"


class Raw(str):
    """A text that py-amqp writes as the bytes that its characters number."""

    __slots__ = ()

    def encode(self, encoding: str = "", errors: str = "") -> bytes:  # noqa: ARG002 - as it is called
        return super().encode("latin-1")


def delivery(routing_key: bytes, *, exchange: bytes = b"celeryev") -> bytes:
    short = [bytes((len(part),)) + part for part in (b"tag", exchange, routing_key)]
    return DELIVER + short[0] + (7).to_bytes(8, "big") + b"\0" + short[1] + short[2]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (b"task.sent", "task.sent"),
        (b"task.\xff", "task.\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xff" * 255, "\ufffd" * 85),
    ],
)
def test_a_routing_key_is_read_as_far_as_it_is_text(key: bytes, told: str) -> None:
    _, _, payload = taming.readable((1, 5, delivery(key)))

    assert serialization.loads("sLbss", payload, 4)[0] == ["tag", 7, False, "celeryev", told]


def header(flags: int, rest: bytes) -> bytes:
    return b"\x00\x3c\x00\x00" + (9).to_bytes(8, "big") + flags.to_bytes(2, "big") + rest


LATE = b"\x01tT" + (2**62).to_bytes(8, "big")
NAMED = b"\x0bcompressionS\x00\x00\x00\x04gzip"


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (header(0x8000, b"\x04json"), {"content_type": "json"}),
        (
            header(0x8080, b"\x04json\x01\xff"),
            {"content_type": "json", "content_encoding": "", "application_headers": {}},
        ),
        (
            header(0x2000, len(LATE).to_bytes(4, "big") + LATE),
            {"content_type": "", "content_encoding": "", "application_headers": {}},
        ),
        (
            header(0x6000, b"\x02\xff8" + len(LATE + NAMED).to_bytes(4, "big") + LATE + NAMED),
            {"content_type": "", "content_encoding": "\ufffd8", "application_headers": {"compression": "unreadable"}},
        ),
        (header(0x8000, b""), {}),
        (header(0x8000, b"\x09js"), None),
    ],
)
def test_properties_are_read_as_far_as_they_can_be(payload: bytes, told: dict[str, object] | None) -> None:
    _, _, tamed = taming.readable((2, 5, payload))

    found, _ = serialization.decode_properties_basic(tamed, 12)
    assert found == (serialization.decode_properties_basic(payload, 12)[0] if told is None else told)
    assert tamed[:12] == payload[:12]


def test_other_frames_are_left_alone() -> None:
    for frame in ((3, 1, b"\xff\xff"), (8, 0, b""), (1, 1, b"\x00\x3c\x00\x15\xff"), (2, 1, b"")):
        assert taming.readable(frame) == frame


def far_away(_: object) -> int:
    return 2**62


def hostile() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Routing key, properties, headers."""
    yield Raw("task.\xff\xfe"), {}, {}
    yield "task.sent", {"content_type": Raw("app\xff")}, {}
    yield "task.sent", {"message_id": Raw("\xff")}, {}
    yield "task.sent", {}, {"t": datetime(2020, 1, 1, tzinfo=UTC)}
    yield "task.sent", {}, {"t": datetime(2020, 1, 1, tzinfo=UTC), "compression": "gzip"}


def test_each_is_stored_or_set_aside_and_the_next_event_lands(
    rabbitmq_url: str, start_collector: Callable[..., Collector], query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_collector(rabbitmq_url)
    with Publisher(rabbitmq_url) as publisher:
        publisher.event(0)
        eventually(lambda: query("SELECT count(*) FROM task_event") == [(1,)])
        for number, (key, properties, headers) in enumerate(hostile(), 1):
            body = json.dumps(fields(type="task-received", uuid=TASKS[number])).encode()
            given = {"content_type": "application/json", "content_encoding": "utf-8"} | properties
            with monkeypatch.context() as patched:
                patched.setattr(serialization.calendar, "timegm", far_away)
                message = _amqp_message(body, application_headers=headers, **given)
                publisher.channel().basic_publish(message, "celeryev", routing_key=key)
        publisher.event(9)

        eventually(lambda: query("SELECT count(*) FROM task WHERE key = %s", TASKS[9]) == [(1,)])

    stored = query("SELECT count(*) FROM task_event")
    reasons = query("SELECT reason, count(*) FROM set_aside GROUP BY 1 ORDER BY 1")
    assert stored == [(5,)]
    assert reasons == [("compressed", 1), ("content_type", 1)]
