"""The envelope of kombu's own transports, read without kombu."""

import json

import pytest
from tests.collector.messages import NOON, wrapped

from flower_collector import envelope
from flower_collector.message import Message, Unacknowledged
from flower_store.reasons import Reason

ORIGIN = Unacknowledged()
BODY = b'{"type": "x"}'


def test_the_body_and_its_properties_are_found() -> None:
    found = opened(json.dumps(wrapped(BODY)).encode())

    assert found.body == BODY
    assert (found.content_type, found.content_encoding) == ("application/json", "utf-8")
    assert (found.routing_key, found.compression) == ("worker.heartbeat", "")


def test_a_compressed_body_is_told_and_left_packed() -> None:
    found = opened(json.dumps(wrapped(BODY, headers={"compression": "application/x-bz2"})).encode())

    assert found.compression == "application/x-bz2"


def test_a_parsed_envelope_gives_the_same() -> None:
    parsed = envelope.opened_mapping(wrapped(BODY), origin=ORIGIN, received_at=NOON)

    assert parsed == opened(json.dumps(wrapped(BODY)).encode())


def test_a_plain_body_stays_as_it_is() -> None:
    found = opened(json.dumps(wrapped(BODY, body="{}", properties={})).encode())

    assert found.body == b"{}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.ENVELOPE),
        (b"hello", Reason.ENVELOPE),
        (b"7", Reason.ENVELOPE),
        (b"{}", Reason.ENVELOPE),
        (b"[" * 100_000, Reason.ENVELOPE),
        (json.dumps(wrapped(BODY, body="é")).encode(), Reason.ENVELOPE),
        (json.dumps(wrapped(BODY, body="a")).encode(), Reason.ENVELOPE),
        (json.dumps(wrapped(BODY, body=7)).encode(), Reason.ENVELOPE),
        (json.dumps(wrapped(BODY, properties={"body_encoding": 7})).encode(), Reason.ENVELOPE),
        (b" " * (envelope.MAX_ENVELOPE + 1), Reason.TOO_LARGE),
    ],
)
def test_what_is_no_envelope_is_kept_with_its_fault(data: bytes, reason: Reason) -> None:
    found = opened(data)

    assert found.fault is reason
    assert data.startswith(found.body)


def test_a_parsed_thing_that_is_no_envelope_is_kept_too() -> None:
    found = envelope.opened_mapping({"a": 1}, origin=ORIGIN, received_at=NOON)

    assert (found.fault, found.body) == (Reason.ENVELOPE, b"{'a': 1}")


def opened(data: bytes) -> Message:
    return envelope.opened(data, origin=ORIGIN, received_at=NOON)
