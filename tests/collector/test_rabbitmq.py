"""RabbitMQ: what the queue is, and that no message is acknowledged before it is committed."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.collector import garbage, proxy
from tests.collector.conftest import Query
from tests.collector.messages import NOON, fields
from tests.collector.proxy import Proxy
from tests.collector.publishing import TASKS, Publisher
from tests.services.rabbitmq import RabbitMQ
from tests.waiting import eventually

from flower_collector import promise
from flower_collector.receivers.amqp import DRAINED_AT_ONCE
from flower_collector.service import Collector
from flower_store import losses

pytestmark = pytest.mark.slow

StartCollector = Callable[..., Collector]
QUEUE = "flower.default"
STORED = "SELECT count(*) FROM task_event"
ASIDE = "SELECT reason, count(*) FROM set_aside GROUP BY 1"
LONG = timedelta(minutes=5)


@pytest.fixture
def publisher(rabbitmq_url: str) -> Iterator[Publisher]:
    with Publisher(rabbitmq_url) as publisher:
        yield publisher


@pytest.fixture
def broker_line(rabbitmq_url: str) -> Iterator[Proxy]:
    """The collector's line to the broker."""
    line = proxy.to(rabbitmq_url)
    yield line
    line.close()


def stored(query: Query, number: int) -> Callable[[], bool]:
    return lambda: query(STORED) == [(number,)]


def aside(collector: Collector, reason: str) -> float | None:
    return collector.metrics.registry.get_sample_value("flower_collector_events_set_aside_total", {"reason": reason})


def received(collector: Collector) -> float:
    return collector.metrics.registry.get_sample_value("flower_collector_messages_received_total") or 0


def test_the_queue_outlives_collectors_and_brokers_and_is_bounded(
    rabbitmq: RabbitMQ, rabbitmq_url: str, start_collector: StartCollector
) -> None:
    start_collector(rabbitmq_url, queue_max_length=1000, queue_ttl=timedelta(hours=1))

    vhost = quote(urlsplit(rabbitmq_url).path[1:], safe="")
    queue = rabbitmq.request("GET", f"/queues/{vhost}/{QUEUE}")
    bindings = rabbitmq.request("GET", f"/queues/{vhost}/{QUEUE}/bindings")

    assert isinstance(queue, dict)
    assert isinstance(bindings, list)
    assert (queue["durable"], queue["auto_delete"], queue["exclusive"]) == (True, False, False)
    assert queue["arguments"] == {
        "x-queue-type": "quorum",
        "x-delivery-limit": 1_000_000,
        "x-max-length": 1000,
        "x-max-length-bytes": 2 * 1024**3,
        "x-message-ttl": 3_600_000,
        "x-overflow": "drop-head",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": f"{QUEUE}.dropped",
    }
    assert [one["routing_key"] for one in bindings if one["source"] == "celeryev"] == ["#"]


def test_events_wait_for_a_collector_that_is_away(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    start_collector(rabbitmq_url).stop()
    publisher.events(*range(50))

    collector = start_collector(rabbitmq_url)
    eventually(stored(query, 50))
    collector.stop()

    assert publisher.waiting(QUEUE) == 0
    assert query("SELECT * FROM gap") == []


@pytest.mark.parametrize(
    ("bound", "reason", "lost"),
    [
        ({"queue_max_length": 50}, losses.QUEUE_OVERFLOW, 200),
        ({"queue_ttl": timedelta(milliseconds=50)}, losses.QUEUE_EXPIRED, 300),
    ],
)
def test_what_the_broker_drops_at_a_bound_is_counted_and_recorded(
    *,
    rabbitmq_url: str,
    start_collector: StartCollector,
    publisher: Publisher,
    query: Query,
    bound: dict[str, Any],
    reason: str,
    lost: int,
) -> None:
    start_collector(rabbitmq_url, **bound).stop()
    for number in range(0, 300, 2):
        pair = [fields(uuid=TASKS[number + one], timestamp=NOON.timestamp() + number + one) for one in range(2)]
        publisher.publish(json.dumps(pair).encode())
    eventually(lambda: publisher.waiting(f"{QUEUE}.dropped") == lost / 2)

    start_collector(rabbitmq_url, **bound)
    eventually(lambda: query("SELECT sum(count)::int FROM gap") == [(lost,)])

    found = query("SELECT reason, min(started_at), max(ended_at) FROM gap GROUP BY 1")
    assert found == [(reason, NOON, NOON + timedelta(seconds=lost - 1))]
    assert query(STORED) == [(300 - lost,)]
    eventually(lambda: publisher.waiting(f"{QUEUE}.dropped") == 0)


def test_no_message_is_acknowledged_before_it_is_committed(
    *,
    rabbitmq_url: str,
    broker_line: Proxy,
    start_collector: StartCollector,
    publisher: Publisher,
    query: Query,
    line: Proxy,
) -> None:
    collector = start_collector(broker_line.url(rabbitmq_url), hold_for=LONG)
    line.cut()
    # So many that the receiver has looked for receipts in between.
    many = DRAINED_AT_ONCE * 3
    publisher.events(*range(many))
    eventually(lambda: received(collector) == many)
    held = publisher.waiting(QUEUE)

    broker_line.cut()
    eventually(lambda: publisher.waiting(QUEUE) == many)
    broker_line.mend()
    line.mend()

    assert held == 0
    eventually(stored(query, many))
    eventually(collector.ready)
    assert query("SELECT sum(count) FROM rollup_1m") == [(many,)]


def test_a_message_delivered_twice_is_counted_once(
    rabbitmq_url: str,
    broker_line: Proxy,
    start_collector: StartCollector,
    publisher: Publisher,
    query: Query,
) -> None:
    collector = start_collector(broker_line.url(rabbitmq_url))
    for round_of in range(5):
        publisher.events(*range(round_of * 40, round_of * 40 + 40))
        broker_line.break_lines()
        eventually(collector.ready)

    eventually(stored(query, 200))
    collector.stop()
    assert publisher.waiting(QUEUE) == 0
    assert query("SELECT sum(count) FROM rollup_1m") == [(200,)]
    assert query("SELECT count(*) FROM task") == [(200,)]


def test_in_a_long_outage_messages_go_back_to_the_broker_and_come_again(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query, line: Proxy
) -> None:
    collector = start_collector(rabbitmq_url, hold_for=timedelta(milliseconds=300))
    publisher.event(0)
    eventually(stored(query, 1))

    line.cut()
    publisher.events(*range(1, 51))
    back = eventually(lambda: publisher.waiting(QUEUE) == 50)
    not_ready = collector.ready()
    line.mend()

    assert (back, not_ready) == (True, False)
    eventually(stored(query, 51))
    eventually(collector.ready)
    collector.stop()
    assert publisher.waiting(QUEUE) == 0


def test_a_stop_writes_and_acknowledges_what_was_taken(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    collector = start_collector(rabbitmq_url, flush_after=LONG)
    publisher.events(*range(500))
    eventually(lambda: received(collector) > 100)
    before = query(STORED)

    collector.stop()

    (taken,) = query(STORED)
    assert before == [(0,)]
    assert taken[0] == received(collector)
    assert publisher.waiting(QUEUE) + received(collector) == 500
    assert query("SELECT stopped_at IS NOT NULL FROM collector") == [(True,)]


def test_a_queue_with_other_arguments_is_used_as_it_is_and_told(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    publisher.channel().queue_declare(queue=QUEUE, durable=True, auto_delete=False)

    start_collector(rabbitmq_url)
    publisher.events(*range(10))

    eventually(stored(query, 10))
    eventually(lambda: query("SELECT promise FROM collector") == [(promise.FOUND_QUEUE,)])


def test_a_queue_that_somebody_deletes_is_made_again_and_the_gap_is_recorded(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    collector = start_collector(rabbitmq_url)
    eventually(lambda: query("SELECT 1 FROM collector"))

    publisher.channel().queue_delete(QUEUE)
    eventually(lambda: query("SELECT reason FROM gap") == [("queue_missing",)])
    eventually(collector.ready)
    publisher.events(*range(10))

    eventually(stored(query, 10))


def test_of_several_brokers_the_one_that_answers_is_used(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    start_collector(f"amqp://guest:guest@127.0.0.1:1//;amqp://guest:guest@127.0.0.1:2//;{rabbitmq_url}")

    publisher.events(*range(10))

    eventually(stored(query, 10))


def test_garbage_between_good_events_is_set_aside_and_the_good_ones_land(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    collector = start_collector(rabbitmq_url)
    publisher.event(0)
    garbage.publish(publisher)
    publisher.event(1, "task-succeeded", runtime=None)

    eventually(stored(query, 2))
    eventually(lambda: dict(query(ASIDE)) == garbage.REASONS)
    counted = {reason: aside(collector, reason) for reason in garbage.REASONS}
    assert counted == garbage.REASONS
    assert collector.ready()
