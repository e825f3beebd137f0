"""The load of the benchmarks and fault tests, held against what Celery itself publishes."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import kombu
import pytest
import redis
from bench.load import lines, wire
from bench.load.traffic import LONGEST_LIST, Event, Message, Totals, Traffic
from celery.events.event import get_exchange
from tests.services import celery_app
from tests.services.workers import StartWorker

START = 1_790_000_000.0

_kombu: Any = kombu  # it ships no types
Arrived = tuple[str, dict[str, Any], Any]


def _messages(tasks: int = 2_000, **changed: Any) -> list[Message]:
    return list(Traffic(tasks=tasks, start=START, **changed).messages())


def _totals(messages: list[Message]) -> Totals:
    totals = Totals()
    for message in messages:
        totals.add(message)
    return totals


def test_the_same_seed_gives_the_same_traffic_and_another_one_does_not() -> None:
    assert _messages() == _messages()
    assert _totals(_messages()).tasks.isdisjoint(_totals(_messages(seed=2)).tasks)


def test_every_task_is_told_from_its_call_to_its_end() -> None:
    totals = _totals(_messages())
    types = totals.types

    assert len(totals.tasks) == 2_000
    assert types["task-sent"] == types["task-received"] == types["task-started"] == 2_000 + types["task-retried"]
    assert types["task-succeeded"] + types["task-failed"] == 2_000
    assert 0.02 < types["task-failed"] / 2_000 < 0.04
    assert 0.01 < types["task-retried"] / 2_000 < 0.03


def test_clients_may_be_silent() -> None:
    totals = _totals(_messages(sent=False))

    assert not totals.types["task-sent"]
    assert totals.types["task-received"] == 2_000 + totals.types["task-retried"]


@pytest.mark.parametrize("mean", [1.0, 1.6, 8.0])
def test_lists_are_as_full_as_asked_and_never_fuller_than_celery_makes_them(mean: float) -> None:
    lists = [message.events for message in _messages(in_list=mean) if not message.alone]

    assert max(map(len, lists)) <= LONGEST_LIST
    assert mean * 0.85 < sum(map(len, lists)) / len(lists) < mean * 1.15


def test_a_heartbeat_tells_how_many_tasks_its_process_had_started_by_its_clock() -> None:
    by_process: dict[object, list[Event]] = defaultdict(list)
    for message in _messages():
        for event in message.events:
            by_process[event["hostname"]].append(event)

    beats = 0
    for events in by_process.values():
        started = 0
        for event in sorted(events, key=lambda event: int(str(event["clock"]))):
            started += event["type"] == "task-started"
            if "processed" in event:
                beats += 1
                assert event["processed"] == started
    assert beats > 8


@pytest.mark.slow
def test_its_messages_are_those_of_clients_and_workers(rabbitmq_url: str, start_worker: StartWorker) -> None:
    with closing(_kombu.Connection(rabbitmq_url)) as connection:
        arrived = _listen(connection)
        worker = start_worker(rabbitmq_url)
        client = celery_app.client(rabbitmq_url)
        for number in range(20):
            client.send_task("tests.add", (number, 2))
        client.send_task("tests.fail", (1,))
        client.send_task("tests.retry_then_succeed", (1,))
        real = _shapes(arrived, until=lambda shapes: len(shapes) >= 8)
        worker.stop()

    with closing(_kombu.Connection(rabbitmq_url)) as connection:
        arrived = _listen(connection)
        with lines.AmqpLine(rabbitmq_url) as line:
            for message in _messages(tasks=300):
                line.send(line.encoded(message), 1)
            line.settle()
        ours = _shapes(arrived, until=lambda shapes: len(shapes) >= 8)

    assert ours == real


def test_a_message_arrives_as_kombu_would_have_sent_it_through_rabbitmq(rabbitmq_url: str) -> None:
    message = _long_message()
    with closing(_kombu.Connection(rabbitmq_url)) as connection:
        arrived = _listen(connection)
        with lines.AmqpLine(rabbitmq_url) as line:
            line.send(line.encoded(message), 1)
            line.settle()
        _send(connection, message)

        ours, kombus = islice(arrived, 2)

    assert ours == kombus


def test_a_message_arrives_as_kombu_would_have_sent_it_through_redis(redis_url: str) -> None:
    message = _long_message()
    with redis.Redis.from_url(redis_url) as client, client.pubsub(ignore_subscribe_messages=True) as subscription:
        subscription.psubscribe("*")
        subscription.get_message(timeout=60)  # the confirmation
        with lines.RedisLine(redis_url) as line:
            line.send(line.encoded(message), 1)
            line.settle()
            heard = line.heard
        with closing(_kombu.Connection(redis_url)) as connection:
            _send(connection, message)

        ours, kombus = (_published(subscription) for _ in range(2))

    assert heard == 1
    assert ours == kombus


def _published(subscription: Any) -> tuple[bytes, dict[str, Any]]:
    """Channel and envelope of the next message."""
    message = subscription.get_message(timeout=60)
    envelope: dict[str, Any] = json.loads(message["data"])
    del envelope["properties"]["delivery_tag"]  # random in each
    return message["channel"], envelope


def _long_message() -> Message:
    """Of more than one AMQP frame."""
    event: Event = {"type": "task-succeeded", "hostname": "celery@a", "result": "é" * wire.LARGEST_FRAME}
    return Message("task.multi", "celery@a", (event,), alone=False)


def _send(connection: Any, message: Message) -> None:
    exchange = get_exchange(connection)
    _kombu.Producer(connection, exchange, auto_declare=False).publish(
        list(message.events),
        routing_key=message.routing_key,
        exchange=exchange.name,
        declare=[exchange],
        serializer="json",
        headers={"hostname": message.hostname},
        delivery_mode=1,
    )


def _listen(connection: Any) -> Iterator[Arrived]:
    """What comes on the event exchange from now on."""
    arrived: list[Arrived] = []

    def take(body: Any, message: Any) -> None:
        properties = {**message.properties, "headers": message.headers}
        properties.pop("application_headers", None)  # the same once more
        arrived.append((message.delivery_info["routing_key"], properties, body))

    queue = _kombu.Queue("", get_exchange(connection), routing_key="#", exclusive=True, auto_delete=True)
    consumer = _kombu.Consumer(connection, [queue], callbacks=[take], no_ack=True)
    consumer.consume()

    def drained() -> Iterator[Arrived]:
        while True:
            while not arrived:
                connection.drain_events(timeout=60)
            yield arrived.pop(0)

    return drained()


def _shapes(arrived: Iterator[Arrived], until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """For each type of event: where it was sent, with which properties, and which fields of which kind it has."""
    shapes: dict[str, Any] = {}
    for key, properties, body in arrived:
        headers = sorted(properties.pop("headers"))
        for event in body if isinstance(body, list) else [body]:
            fields = {name: _kind(value) for name, value in event.items()}
            where = (key, isinstance(body, list), headers, json.dumps(properties, sort_keys=True))
            shapes.setdefault(str(event["type"]), (where, fields))
        if until(shapes):
            return shapes
    raise AssertionError("unreachable: the stream of messages has no end")


def _kind(value: object) -> str:
    return "number" if isinstance(value, int | float) else type(value).__name__
