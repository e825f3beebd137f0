"""The envelope of kombu's own transports, read without kombu."""

import json

import pytest
from tests.collector.messages import wrapped

from flower_collector import envelope
from flower_collector.reasons import Reason, Refused

BODY = b'{"type": "x"}'


def test_the_body_and_its_properties_are_found() -> None:
    found = envelope.unwrap(json.dumps(wrapped(BODY)).encode())

    assert found.body == BODY
    assert (found.content_type, found.content_encoding) == ("application/json", "utf-8")
    assert (found.routing_key, found.compression) == ("worker.heartbeat", "")


def test_a_compressed_body_is_told_and_left_packed() -> None:
    found = envelope.unwrap(json.dumps(wrapped(BODY, headers={"compression": "application/x-bz2"})).encode())

    assert found.compression == "application/x-bz2"


def test_a_parsed_envelope_gives_the_same() -> None:
    assert envelope.unwrap_mapping(wrapped(BODY)) == envelope.unwrap(json.dumps(wrapped(BODY)).encode())


def test_a_plain_body_stays_as_it_is() -> None:
    found = envelope.unwrap(json.dumps(wrapped(BODY, body="{}", properties={})).encode())

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
def test_what_is_no_envelope_is_refused(data: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refusal:
        envelope.unwrap(data)

    assert refusal.value.reason is reason
