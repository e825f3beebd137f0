"""RabbitMQ: what the broker drops of the queue is counted right or "at least", and by reason."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from tests.collector.conftest import Query
from tests.collector.messages import NOON, fields
from tests.collector.proxy import Proxy
from tests.collector.publishing import TASKS, Publisher
from tests.waiting import eventually

from flower_collector import probe
from flower_collector.receivers import overflow
from flower_collector.service import Collector
from flower_store import losses

pytestmark = pytest.mark.slow

StartCollector = Callable[..., Collector]
QUEUE = "flower.default"
DROPPED = f"{QUEUE}.dropped"
STORED = "SELECT count(*) FROM task_event"
GAPS = "SELECT reason, count, at_least FROM gap ORDER BY reason"
KIB = 1024


@pytest.fixture
def publisher(rabbitmq_url: str) -> Iterator[Publisher]:
    with Publisher(rabbitmq_url) as publisher:
        yield publisher


def a_list(*numbers: int, size: int = 10) -> bytes:
    """Events of these tasks in one message, each a second after the one before."""
    return json.dumps(
        [fields(uuid=TASKS[one], timestamp=NOON.timestamp() + one, args="x" * size) for one in numbers]
    ).encode()


def test_drops_by_bound_and_by_age_are_two_gaps_with_their_own_counts(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    bounds: dict[str, Any] = {"queue_max_length": 50, "queue_ttl": timedelta(seconds=5)}
    start_collector(rabbitmq_url, **bounds).stop()
    for number in range(0, 240, 3):
        publisher.publish(a_list(number, number + 1, number + 2))
    eventually(lambda: publisher.waiting(DROPPED) == 80)

    start_collector(rabbitmq_url, **bounds)

    eventually(lambda: len(query(GAPS)) == 2)
    assert query(GAPS) == [(losses.QUEUE_EXPIRED, 150, False), (losses.QUEUE_OVERFLOW, 90, False)]


def test_our_own_probes_are_no_events_that_were_lost(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    start_collector(rabbitmq_url, queue_max_length=10).stop()
    instance = uuid4()
    for number in range(30):
        sent = probe.Probe(hostname="a", instance=instance, cluster="default", sequence=number, sent_at=NOON)
        publisher.publish(json.dumps(sent.event()).encode(), routing_key=probe.ROUTING_KEY)
        if number < 10:
            publisher.event(number)
    eventually(lambda: publisher.waiting(DROPPED) == 30)

    start_collector(rabbitmq_url, queue_max_length=10)

    eventually(lambda: query(GAPS))
    assert query(GAPS) == [(losses.QUEUE_OVERFLOW, 10, False)]


def test_thousands_of_messages_are_one_gap(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    start_collector(rabbitmq_url, queue_max_length=100).stop()
    for number in range(3_000):
        publisher.publish(a_list(number))
    eventually(lambda: publisher.waiting(DROPPED) == 2_900)

    start_collector(rabbitmq_url, queue_max_length=100)

    eventually(lambda: publisher.waiting(DROPPED) == 0 and query(STORED) == [(100,)])
    eventually(lambda: query(GAPS) == [(losses.QUEUE_OVERFLOW, 2_900, False)])


def test_where_bytes_bounded_the_second_queue_the_count_says_at_least_and_the_gap_begins_with_the_loss(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(overflow, "KEPT_BYTES", 1024 * KIB)
    monkeypatch.setattr(overflow, "LARGEST", 100 * KIB)
    first = start_collector(rabbitmq_url, queue_max_length=10)
    publisher.publish(a_list(0))
    eventually(lambda: query(STORED) == [(1,)])
    first.stop()
    for number in range(1, 101):
        publisher.publish(a_list(number, size=50 * KIB))
    eventually(lambda: publisher.waiting(QUEUE) == 10)
    kept = eventually(lambda: publisher.waiting(DROPPED))

    start_collector(rabbitmq_url, queue_max_length=10)

    eventually(lambda: query(GAPS))
    assert kept < 90  # or nothing was lost twice, and the test shows nothing
    assert query(GAPS) == [(losses.QUEUE_OVERFLOW, kept, True)]
    assert query("SELECT started_at, ended_at FROM gap") == [(NOON, NOON + timedelta(seconds=90))]


def test_a_second_queue_with_other_bounds_is_read_and_its_count_is_a_lower_bound(
    rabbitmq_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    with publisher.channel() as channel:
        channel.queue_declare(
            DROPPED, durable=True, auto_delete=False,
            arguments={"x-queue-type": "quorum", "x-single-active-consumer": True, "x-max-length": 5},
        )  # fmt: skip
    start_collector(rabbitmq_url, queue_max_length=10).stop()
    publisher.events(*range(30))
    eventually(lambda: publisher.waiting(QUEUE) == 10 and publisher.waiting(DROPPED) == 5)

    with capture_logs() as logged:
        start_collector(rabbitmq_url, queue_max_length=10)
        eventually(lambda: query(GAPS))

    assert query(GAPS) == [(losses.QUEUE_OVERFLOW, 5, True)]
    assert [one["queue"] for one in logged if one["event"] == overflow.BOUNDS_FOUND] == [DROPPED]


def test_no_drop_is_acknowledged_before_its_gap_is_committed(
    *, rabbitmq_url: str, start_collector: StartCollector, launch_collector: StartCollector, publisher: Publisher,
    query: Query, line: Proxy,
) -> None:  # fmt: skip
    start_collector(rabbitmq_url, queue_max_length=100).stop()
    publisher.events(*range(600))
    eventually(lambda: publisher.waiting(DROPPED) == 500)

    line.cut()
    collector = launch_collector(rabbitmq_url, queue_max_length=100, hold_for=timedelta(seconds=5))
    eventually(lambda: publisher.waiting(DROPPED) == 0)
    # The database stays away for longer than a collector may hold: back they go, for others to count.
    eventually(lambda: publisher.waiting(DROPPED) == 500)
    line.mend()

    eventually(lambda: query(GAPS) == [(losses.QUEUE_OVERFLOW, 500, False)])
    eventually(lambda: publisher.waiting(DROPPED) == 0)
    collector.stop()
    assert publisher.waiting(DROPPED) == 0
    assert query(GAPS) == [(losses.QUEUE_OVERFLOW, 500, False)]
