"""The add-on: others see events as ever, and each is in the stream, too; its failures harm nobody."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from tests.collector.appending import Application
from tests.collector.messages import NOON
from tests.waiting import eventually

from flower_collector import decoder, envelope, gate
from flower_collector.message import Unacknowledged
from flower_worker import stream

KEY = "flower.celeryev"
Client = Any  # redis-py's types are a union of answers and promises of answers


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def published(client: Client) -> Iterator[Any]:
    with client.pubsub(ignore_subscribe_messages=True) as subscription:
        subscription.psubscribe("*")
        subscription.get_message(timeout=5)
        yield subscription


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is tried again with the next event."""
    monkeypatch.setattr(stream, "AGAIN_AFTER", 0)


def appended(client: Client, key: str = KEY) -> list[dict[bytes, bytes]]:
    found: Any = client.xrange(key)
    return [fields for _, fields in found]


def received(subscription: Any) -> Any:
    """The next message of the subscription, without the envelope."""
    message = eventually(lambda: subscription.get_message(timeout=0.1))
    return envelope.opened(message["data"], origin=Unacknowledged(), received_at=NOON)


def test_an_event_is_published_as_ever_and_appended_in_the_same_bytes(
    redis_url: str, client: Client, published: Any
) -> None:
    with Application(redis_url) as application:
        application.dispatcher.send("worker-heartbeat", freq=2.0, active=0)

    (entry,) = appended(client)
    message = received(published)
    assert entry[b"body"] == message.body
    assert entry[b"routing-key"].decode() == message.routing_key == "worker.heartbeat"
    assert entry[b"content-type"].decode() == message.content_type == "application/json"
    assert entry[b"content-encoding"].decode() == message.content_encoding == "utf-8"


def test_events_of_one_message_are_entries_of_their_own_with_the_same_digest(
    redis_url: str, client: Client, published: Any
) -> None:
    with Application(redis_url) as application:
        for number, text in enumerate(("plain", "ü", "a, [b]")):
            application.buffer(number, "task-succeeded", result=text, runtime=0.25)
        application.dispatcher.flush()

    together = gate.open_message(received(published)).tasks
    alone = [json.loads(entry[b"body"]) for entry in appended(client)]
    assert [event["result"] for event in alone] == ["plain", "ü", "a, [b]"]
    assert [event.digest for event in together] == [decoder.digest(entry[b"body"]) for entry in appended(client)]


def test_what_a_client_sends_is_appended_too(redis_url: str, client: Client) -> None:
    with Application(redis_url, task_send_sent_event=True) as application:
        application.app.send_task("tests.add", (1, 2))

    (entry,) = appended(client)
    assert json.loads(entry[b"body"])["type"] == "task-sent"


def test_the_key_has_the_prefix_and_the_exchange_of_the_application(redis_url: str, client: Client) -> None:
    options: dict[str, Any] = {"broker_transport_options": {"global_keyprefix": "shop-"}, "event_exchange": "shopev"}

    with Application(redis_url, **options) as application:
        application.event(0)

    assert len(appended(client, "shop-flower.shopev")) == 1


def test_the_key_can_be_named_and_the_stream_is_capped(redis_url: str, client: Client) -> None:
    with Application(redis_url, flower_stream="mine", flower_stream_max_length=100) as application:
        application.events(*range(450))

    # Redis trims by whole nodes, of a hundred entries.
    assert 100 <= len(appended(client, "mine")) <= 200


def test_no_connection_is_opened_for_it(redis_url: str, client: Client) -> None:
    def connections(events: str | None) -> int:
        before = len(client.client_list())
        with Application(redis_url, events=events) as application:
            application.events(*range(10))
            return len(client.client_list()) - before

    assert connections("flower_worker:Events") == connections(None)


@pytest.mark.usefixtures("at_once")
def test_a_failure_is_counted_and_told_once_and_what_waited_is_appended_later(
    redis_url: str, client: Client, published: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client.set(KEY, "a text")

    with caplog.at_level(logging.WARNING), Application(redis_url) as application:
        application.events(0, 1, 2)
        failures, told = application.stream.failures, len(caplog.records)
        client.delete(KEY)
        application.events(3, 4)

        assert (failures, told) == (3, 1)
        assert [record.getMessage()[:40] for record in caplog.records[1:]] == [
            "Flower: events are appended to flower.ce"
        ]
        assert (application.stream.appended, application.stream.dropped) == (5, 0)
    assert len([received(published) for _ in range(5)]) == 5
    assert len(appended(client)) == 5


@pytest.mark.parametrize("seconds", [0, 3600], ids=["tried at each event", "hardly ever tried"])
def test_what_waits_in_a_long_failure_is_bounded(
    redis_url: str, client: Client, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    monkeypatch.setattr(stream, "AGAIN_AFTER", seconds)
    client.set(KEY, "a text")

    with Application(redis_url) as application:
        application.event(0, result="x" * 20_000)
        application.events(*range(1, 1_010))
        failures = application.stream.failures
        client.delete(KEY)
        application.stream.again_at = 0
        application.events(2_000, 2_001)

        assert application.stream.dropped == 10
    assert len(appended(client)) == 1_002
    assert failures == (1 if seconds else 1_010)


def test_a_setting_that_is_none_is_told_and_harms_nobody(
    redis_url: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), Application(redis_url, flower_stream_max_length="many") as application:
        application.event(0)

    assert len(appended(client)) == 1
    assert "flower_stream_max_length" in caplog.text


def test_what_cannot_be_published_is_appended_once_it_is(redis_url: str, client: Client) -> None:
    with Application(redis_url) as application:
        publish, application.dispatcher.producer.publish = application.dispatcher.producer.publish, refuse
        application.event(0)
        before = appended(client)
        application.dispatcher.producer.publish = publish
        application.dispatcher.flush()

    assert before == []
    assert len(appended(client)) == 1


def refuse(*_: object, **__: object) -> None:
    raise ConnectionError


@pytest.mark.usefixtures("at_once")
def test_a_full_redis_is_published_to_and_appended_to_when_there_is_room(
    redis_url: str, client: Client, published: Any
) -> None:
    client.config_set("maxmemory", 1)
    try:
        with Application(redis_url) as application:
            application.events(*range(10))
            failures = application.stream.failures
            client.config_set("maxmemory", 0)
            application.events(10, 11)

            assert failures == 10
            assert application.stream.dropped == 0
    finally:
        client.config_set("maxmemory", 0)
    assert len([received(published) for _ in range(12)]) == 12
    assert len(appended(client)) == 12


@pytest.mark.parametrize("broker", ["memory://", "redis"])
def test_on_other_brokers_it_does_nothing(broker: str, redis_url: str) -> None:
    with Application(redis_url if broker == "redis" else broker) as application:
        application.event(0)

        assert application.stream.appended == (broker == "redis")
        assert application.stream.failures == 0
