"""A collector that is killed takes no gap with it: what tells of a loss stays at the broker until it is committed."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.collector import proxy
from tests.collector.appending import Application
from tests.collector.proxy import Proxy
from tests.collector.publishing import Publisher
from tests.e2e.collecting import CollectorProcess
from tests.faults.conftest import Query
from tests.waiting import eventually

from flower_collector.receivers import amqp
from flower_store import losses

pytestmark = pytest.mark.slow

DROPPED = "flower.default.dropped"
KEY, GROUP = "flower.celeryev", "flower.default"
GAPS = "SELECT reason, count, at_least FROM gap ORDER BY id"
STORED = "SELECT count(*) FROM task_event"
BOUND = {"FLOWER_QUEUE_MAX_LENGTH": "100", "FLOWER_QUEUE_INTERVAL": "0"}
STREAM = {"FLOWER_REDIS_MODE": "stream"}
Collectors = Callable[..., CollectorProcess]


@pytest.fixture
def line(database_url: str) -> Iterator[Proxy]:
    """The collectors' line to the database."""
    line = proxy.to(database_url)
    yield line
    line.close()


@pytest.fixture
def collector(tmp_path: Path, database_url: str, line: Proxy) -> Iterator[Collectors]:
    """A collector as a process of its own, not yet started."""
    made: list[CollectorProcess] = []

    def make(broker_url: str, settings: dict[str, str]) -> CollectorProcess:
        made.append(
            CollectorProcess(
                tmp_path, broker_url=broker_url, database_url=line.url(database_url), name=f"collector-{len(made)}",
                settings=settings,
            )
        )  # fmt: skip
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def killed_at_the_gap(collector: CollectorProcess, line: Proxy) -> Callable[[], bool]:
    """Kill it when its gap is on its way into the database, which commits it; whether that has happened."""
    killed: list[int] = []

    def breaks(data: bytes) -> bool:
        if b"INSERT INTO gap" in data and not killed:
            os.kill(collector.pid, signal.SIGKILL)
            killed.append(collector.pid)
        return bool(killed)

    line.breaks = breaks
    return lambda: bool(killed)


def overflowed(url: str, collector: Collectors, publisher: Publisher) -> None:
    """600 events for a queue of 100, while no collector runs."""
    first = collector(url, BOUND)
    first.start()
    first.stop()
    publisher.events(*range(600))
    eventually(lambda: publisher.waiting(DROPPED) == 500)


def test_an_overflow_is_counted_though_its_collector_is_killed_without_a_database(
    rabbitmq_url: str, collector: Collectors, line: Proxy, query: Query
) -> None:
    with Publisher(rabbitmq_url) as publisher:
        overflowed(rabbitmq_url, collector, publisher)
        line.cut()
        held = collector(rabbitmq_url, BOUND)
        held.launch()
        eventually(lambda: publisher.waiting(DROPPED) == 0)
        eventually(lambda: amqp.GIVEN_BACK in held.log)
        held.kill()
        eventually(lambda: publisher.waiting(DROPPED) == 500)
        line.mend()

        collector(rabbitmq_url, BOUND).start()

        eventually(lambda: query(GAPS) == [(losses.QUEUE_OVERFLOW, 500, False)])
        eventually(lambda: publisher.waiting(DROPPED) == 0 and query(STORED) == [(100,)])


def test_an_overflow_that_was_committed_and_not_acknowledged_is_counted_once(
    rabbitmq_url: str, collector: Collectors, line: Proxy, query: Query
) -> None:
    with Publisher(rabbitmq_url) as publisher:
        overflowed(rabbitmq_url, collector, publisher)
        held = collector(rabbitmq_url, BOUND)
        held.launch()
        eventually(killed_at_the_gap(held, line))
        eventually(lambda: query(GAPS) == [(losses.QUEUE_OVERFLOW, 500, False)])
        eventually(lambda: publisher.waiting(DROPPED) == 500)
        line.heal()

        last = collector(rabbitmq_url, BOUND)
        last.start()
        eventually(lambda: publisher.waiting(DROPPED) == 0)
        last.stop()

        assert publisher.waiting(DROPPED) == 0
        assert query(GAPS) == [(losses.QUEUE_OVERFLOW, 500, False)]


def test_a_trimmed_stream_is_counted_though_its_collector_is_killed_without_a_database(
    redis_url: str, collector: Collectors, line: Proxy, query: Query, client: Any
) -> None:
    trimmed(redis_url, collector, client, query)
    line.cut()
    held = collector(redis_url, STREAM)
    held.launch()
    eventually(lambda: client.xinfo_consumers(KEY, GROUP))
    eventually(lambda: "database away" in held.log)
    held.kill()
    line.mend()

    collector(redis_url, STREAM).start()

    eventually(lambda: query(STORED) == [(101,)])
    eventually(lambda: query(GAPS) == [(losses.STREAM_TRIMMED, 900, False)])


def test_a_trimmed_stream_that_was_committed_is_counted_once_after_a_kill(
    redis_url: str, collector: Collectors, line: Proxy, query: Query, client: Any
) -> None:
    trimmed(redis_url, collector, client, query)
    held = collector(redis_url, STREAM)
    held.launch()
    eventually(killed_at_the_gap(held, line))
    eventually(lambda: query(GAPS) == [(losses.STREAM_TRIMMED, 900, False)])
    line.heal()
    client.xtrim(KEY, maxlen=50, approximate=False)  # the hole has grown meanwhile

    collector(redis_url, STREAM).start()

    eventually(lambda: query(STORED) == [(51,)])
    eventually(lambda: query(GAPS) == [(losses.STREAM_TRIMMED, 950, False)])


def test_what_a_dead_collector_held_and_was_trimmed_is_counted_though_the_next_one_dies_without_a_database(
    redis_url: str, collector: Collectors, line: Proxy, query: Query, client: Any
) -> None:
    held_by_one_that_is_dead(redis_url, client)
    line.cut()
    second = collector(redis_url, STREAM)
    second.launch()
    # It has taken over the two that are left: by then it knows of those that are not.
    eventually(lambda: len(client.xpending_range(KEY, GROUP, "-", "+", 10, "dead")) <= 5)
    second.kill()
    line.mend()

    collector(redis_url, STREAM).start()

    eventually(lambda: query(STORED) == [(5,)])
    eventually(lambda: query(GAPS) == [(losses.STREAM_TRIMMED, 5, False)])


def test_what_a_dead_collector_held_and_was_trimmed_is_counted_once_though_the_next_one_is_killed_too(
    redis_url: str, collector: Collectors, line: Proxy, query: Query, client: Any
) -> None:
    held_by_one_that_is_dead(redis_url, client)
    second = collector(redis_url, STREAM)
    second.launch()
    eventually(killed_at_the_gap(second, line))
    eventually(lambda: query(GAPS) == [(losses.STREAM_TRIMMED, 5, False)])
    line.heal()

    collector(redis_url, STREAM).start()

    eventually(lambda: query(STORED) == [(5,)])
    eventually(lambda: client.xpending(KEY, GROUP)["pending"] == 0)
    assert query(GAPS) == [(losses.STREAM_TRIMMED, 5, False)]


def held_by_one_that_is_dead(url: str, client: Any) -> None:
    """Seven of ten entries, five of them trimmed."""
    with Application(url) as application:
        application.events(*range(10))
    client.xgroup_create(KEY, GROUP, id="0-0", entries_read=0)
    client.xreadgroup(GROUP, "dead", {KEY: ">"}, count=7)
    client.xtrim(KEY, maxlen=5, approximate=False)


def trimmed(url: str, collector: Collectors, client: Any, query: Query) -> None:
    """One event stored, and 900 of the next 1,000 trimmed while no collector runs."""
    with Application(url) as application:
        application.event(0)
        first = collector(url, STREAM)
        first.start()
        eventually(lambda: query(STORED) == [(1,)])
        first.stop()
        application.events(*range(1, 1_001))
    client.xtrim(KEY, maxlen=100, approximate=False)
