"""RabbitMQ: what the queue is, and that no message is acknowledged before it is committed."""

import json
import select
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from amqp import exceptions
from structlog.testing import capture_logs
from tests.collector import garbage, proxy
from tests.collector.conftest import Query
from tests.collector.messages import NOON, fields
from tests.collector.proxy import Proxy
from tests.collector.publishing import TASKS, Publisher
from tests.services.rabbitmq import RabbitMQ
from tests.waiting import eventually

from flower_collector import app, connections, promise
from flower_collector.receivers import deliveries, queue
from flower_collector.receivers.amqp import DRAINED_AT_ONCE
from flower_collector.service import Collector
from flower_collector.settings import CollectorSettings
from flower_store import losses

pytestmark = pytest.mark.slow

StartCollector = Callable[..., Collector]
QUEUE = "flower.default"
STORED = "SELECT count(*) FROM task_event"
ASIDE = "SELECT reason, count(*) FROM set_aside GROUP BY 1"
PROMISED = "SELECT promise FROM collector WHERE stopped_at IS NULL"
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


def written(collector: Collector) -> float:
    return collector.metrics.registry.get_sample_value("flower_collector_events_stored_total") or 0


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


def test_a_restart_of_the_broker_is_a_gap_that_one_collector_records(
    rabbitmq: RabbitMQ, rabbitmq_url: str, start_collector: StartCollector, query: Query
) -> None:
    collectors = [start_collector(rabbitmq_url) for _ in range(2)]
    rows = "SELECT reason, ended_at - started_at < interval '5 minutes' FROM gap ORDER BY id"

    told: list[object] = []
    for end in (rabbitmq.stop, rabbitmq.kill):
        told.append(end)
        end()
        eventually(lambda: not any(collector.ready() for collector in collectors))
        rabbitmq.start()
        eventually(lambda: all(collector.ready() for collector in collectors))
        eventually(lambda: len(query(rows)) == len(told))

    # Each has weighed what it noted by now, and said so with its beat.
    for collector in collectors:
        collector.stop()
    assert query(rows) == [("broker_restarted", True)] * 2


def test_a_connection_that_ends_is_no_restart(
    rabbitmq: RabbitMQ, rabbitmq_url: str, start_collector: StartCollector, query: Query
) -> None:
    collector = start_collector(rabbitmq_url)
    vhost = quote(urlsplit(rabbitmq_url).path[1:], safe="")

    def ended() -> bool:
        found = rabbitmq.request("GET", f"/vhosts/{vhost}/connections")
        assert isinstance(found, list)
        for one in found:
            rabbitmq.request("DELETE", f"/connections/{quote(one['name'], safe='')}")
        return bool(found)

    eventually(ended)
    eventually(lambda: collector.metrics.registry.get_sample_value("flower_collector_broker_reconnects_total") != 0)
    eventually(collector.ready)
    collector.stop()

    assert query("SELECT reason FROM gap") == []


@pytest.mark.parametrize("by", ["tcp", "tls"])
def test_most_of_a_backlog_is_read_without_the_driver_s_help(
    *,
    rabbitmq: RabbitMQ,
    rabbitmq_url: str,
    start_collector: StartCollector,
    publisher: Publisher,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    by: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(rabbitmq.authority))
    url = rabbitmq_url if by == "tcp" else rabbitmq.tls_url(urlsplit(rabbitmq_url).path[1:])
    start_collector(url).stop()
    publisher.events(*range(500))
    read, parse = [], deliveries.parse

    def counted(*given: Any) -> deliveries.Delivered | None:
        found = parse(*given)
        read.append(found is not None)
        return found

    monkeypatch.setattr(deliveries, "parse", counted)
    start_collector(url)

    eventually(stored(query, 500))
    # By TLS a read ends with a record, of 16 KB at most, and what that cuts is the driver's.
    assert sum(read) > 300


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
    eventually(lambda: written(collector) == 1)  # it knows of its commit, which the cut would else leave in doubt

    line.cut()
    publisher.events(*range(1, 51))
    back = eventually(lambda: publisher.waiting(QUEUE) >= 50)  # the first one, too, where its receipt had not gone yet
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
    with pytest.raises(exceptions.NotFound):
        publisher.waiting(f"{QUEUE}.dropped")


@pytest.mark.parametrize(
    "changed", [{"queue_max_length": 500}, {"queue_max_bytes": 2**30}, {"queue_ttl": timedelta(hours=1)}]
)
def test_a_queue_keeps_its_bounds_when_the_settings_change_and_what_it_drops_is_counted(
    *,
    rabbitmq_url: str,
    start_collector: StartCollector,
    publisher: Publisher,
    query: Query,
    changed: dict[str, Any],
) -> None:
    start_collector(rabbitmq_url, queue_max_length=50).stop()
    publisher.events(*range(300))
    eventually(lambda: publisher.waiting(f"{QUEUE}.dropped") == 250)

    with capture_logs() as logged:
        start_collector(rabbitmq_url, **changed)
        eventually(lambda: query("SELECT reason, sum(count)::int FROM gap GROUP BY 1") == [("queue_overflow", 250)])

    eventually(lambda: query(PROMISED) == [(promise.FOUND_QUEUE_COUNTED,)])
    eventually(lambda: publisher.waiting(f"{QUEUE}.dropped") == 0)
    assert [line["rule"] for line in logged if line["event"] == queue.QUEUE_FOUND] == [queue.KEPT]


def test_a_queue_that_is_deleted_takes_the_bounds_that_were_changed(
    *,
    rabbitmq: RabbitMQ,
    rabbitmq_url: str,
    start_collector: StartCollector,
    publisher: Publisher,
    query: Query,
) -> None:
    start_collector(rabbitmq_url, queue_max_length=50).stop()
    start_collector(rabbitmq_url, queue_max_length=70)
    eventually(lambda: query(PROMISED) == [(promise.FOUND_QUEUE_COUNTED,)])

    publisher.channel().queue_delete(QUEUE)

    eventually(lambda: query(PROMISED) == [(promise.QUORUM_QUEUE,)])
    vhost = quote(urlsplit(rabbitmq_url).path[1:], safe="")
    made = rabbitmq.request("GET", f"/queues/{vhost}/{QUEUE}")
    assert isinstance(made, dict)
    assert made["arguments"]["x-max-length"] == 70


def test_a_policy_lowers_the_bounds_of_a_queue_that_is_there_and_never_raises_them(
    *, rabbitmq: RabbitMQ, rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher
) -> None:
    start_collector(rabbitmq_url, queue_max_length=50).stop()
    vhost = quote(urlsplit(rabbitmq_url).path[1:], safe="")

    def bound(length: int) -> None:
        policy: dict[str, object] = {
            "pattern": f"^{QUEUE}$",
            "definition": {"max-length": length},
            "apply-to": "queues",
        }
        rabbitmq.request("PUT", f"/policies/{vhost}/bound", policy)

        def effective() -> bool:
            found = rabbitmq.request("GET", f"/queues/{vhost}/{QUEUE}")
            return isinstance(found, dict) and found.get("effective_policy_definition") == {"max-length": length}

        eventually(effective)

    bound(1000)
    publisher.events(*range(60))
    eventually(lambda: publisher.waiting(f"{QUEUE}.dropped") == 10)
    bound(20)
    publisher.events(0)

    eventually(lambda: publisher.waiting(QUEUE) == 20)
    eventually(lambda: publisher.waiting(f"{QUEUE}.dropped") == 41)


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


def test_a_queue_that_went_while_no_collector_ran_may_have_held_all_since_the_last_event_stored(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    collector = start_collector(rabbitmq_url)
    publisher.events(0)
    eventually(stored(query, 1))
    collector.stop()

    publisher.channel().queue_delete(QUEUE)
    start_collector(rabbitmq_url)

    eventually(lambda: query("SELECT reason, started_at FROM gap") == [("queue_missing", NOON)])


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


def test_a_connection_whose_queue_is_deleted_as_it_closes_leaves_no_socket_open(
    rabbitmq_url: str, publisher: Publisher
) -> None:
    connection: Any = app.cluster_app(CollectorSettings(broker=rabbitmq_url)).connection_for_read(heartbeat=30)
    channel = connection.channel()
    channel.queue_declare(queue="short-lived", auto_delete=False)
    channel.basic_consume("short-lived")
    socket = connection.connection.transport.sock
    publisher.channel().queue_delete("short-lived")
    assert select.select([socket], [], [], 20)[0], "the broker did not tell"

    connections.close(connection)

    assert socket.fileno() == -1
