"""What is read from the bytes of frames is what py-amqp reads from them."""

from collections.abc import Mapping
from struct import pack
from typing import Any, cast

import pytest
from amqp import basic_message, serialization
from hypothesis import given
from hypothesis import strategies as st

from flower_collector.receivers import deliveries
from flower_collector.receivers.deliveries import Delivered

CHANNEL = 3
short = st.text(max_size=60).filter(lambda text: len(text.encode()) < 256)
headers = st.dictionaries(st.sampled_from(["hostname", "x", "id"]), st.text(max_size=20) | st.integers(0, 2**31 - 1))
properties = st.fixed_dictionaries(
    {},
    optional={
        "content_type": short,
        "content_encoding": short,
        "application_headers": headers,
        "delivery_mode": st.sampled_from([1, 2]),
        "priority": st.integers(0, 9),
        "correlation_id": short,
        "timestamp": st.integers(0, 2**40),
        "app_id": short,
    },
)


def frame(kind: int, payload: bytes, channel: int = CHANNEL) -> bytes:
    return pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(tag: int, routing_key: str) -> bytes:
    arguments: bytes = serialization.dumps("sLbss", ("consumer", tag, True, "celeryev", routing_key))
    return frame(1, pack(">HH", 60, 60) + arguments)


def header(told: Mapping[str, object], body: bytes) -> bytes:
    message: Any = cast("Any", basic_message.Message)(**told)
    serialized: bytes = message._serialize_properties()
    return frame(2, pack(">HHQ", 60, 0, len(body)) + serialized)


def frames(tag: int, routing_key: str, told: Mapping[str, object], body: bytes) -> bytes:
    return method(tag, routing_key) + header(told, body) + frame(3, body)


@given(
    around=st.tuples(st.binary(max_size=20), st.binary(max_size=20)),
    tag=st.integers(1, 2**63),
    routing_key=short,
    told=properties,
    body=st.binary(min_size=1, max_size=500),
)
def test_a_delivery_is_read_as_it_was_written(
    around: tuple[bytes, bytes], tag: int, routing_key: str, told: dict[str, object], body: bytes
) -> None:
    before, after = around
    written = frames(tag, routing_key, told, body)

    found = deliveries.parse(before + written + after, len(before), CHANNEL)

    content_type, encoding = (cast("str", told.get(name, "")) for name in ("content_type", "content_encoding"))
    assert found == Delivered(tag, routing_key, content_type, encoding, body, len(before) + len(written))


@given(cut=st.integers(0, 10_000))
def test_what_is_not_all_here_is_left(cut: int) -> None:
    written = frames(7, "task.sent", {"content_type": "application/json"}, b"{}")

    assert deliveries.parse(written[: cut % len(written)], 0, CHANNEL) is None


BODY = b'{"type": "task-sent"}'


@pytest.mark.parametrize(
    "written",
    [
        method(1, "k") + header({}, b""),
        method(1, "k") + header({}, BODY) + frame(3, BODY[:5]) + frame(3, BODY[5:]),
        method(1, "k") + header({"application_headers": {"compression": "application/x-bz2"}}, BODY) + frame(3, BODY),
        frame(8, b"", 0) + frames(1, "k", {}, BODY),
        frame(1, pack(">HH", 60, 80) + bytes(9)) + frames(1, "k", {}, BODY),
        frames(1, "k", {}, BODY)[:-1] + b"\x00",
        header({}, BODY) + frame(3, BODY) + frames(1, "k", {}, BODY),
        method(1, "k") + frame(2, pack(">HHQH", 60, 0, len(BODY), 1) + bytes(2)) + frame(3, BODY),
    ],
    ids=["no body", "body in parts", "compressed", "heartbeat", "acknowledgement", "no end", "no method", "more flags"],
)
def test_what_is_not_ordinary_is_left_to_the_driver(written: bytes) -> None:
    assert deliveries.parse(written, 0, CHANNEL) is None


def test_another_channel_s_delivery_is_left() -> None:
    assert deliveries.parse(frames(1, "k", {}, BODY), 0, CHANNEL + 1) is None
