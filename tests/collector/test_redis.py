"""Redis: what is published while somebody is subscribed lands; what may have been missed is recorded."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, cast

import kombu
import pytest
import redis
from tests.collector import garbage
from tests.collector.conftest import Query
from tests.collector.messages import body, wrapped
from tests.collector.proxy import Proxy
from tests.collector.publishing import TASKS, Publisher
from tests.services.redis_servers import StartRedis
from tests.waiting import eventually

from flower_collector import driver, gaps, pipeline, promise
from flower_collector.availability import Availability
from flower_collector.backoff import Backoff
from flower_collector.buffer import Buffer
from flower_collector.metrics import Metrics
from flower_collector.receivers.receiver import Surroundings
from flower_collector.receivers.redis import RedisReceiver
from flower_collector.service import Collector

_kombu: Any = kombu  # it ships no types
pytestmark = pytest.mark.slow

StartCollector = Callable[..., Collector]
AN_HOUR_AGO = """
UPDATE collector SET beat_at = beat_at - interval '1 hour', committed_at = committed_at - interval '1 hour' RETURNING 1
"""
STORED = "SELECT count(*) FROM task_event"
ASIDE = "SELECT reason, count(*) FROM set_aside GROUP BY 1"
SETTLED = "SELECT count(*) FROM collector WHERE beat_at - started_at > interval '7 s'"
GAPS = "SELECT reason, detail FROM gap ORDER BY id"


@pytest.fixture
def publisher(redis_url: str) -> Iterator[Publisher]:
    with Publisher(redis_url) as publisher:
        yield publisher


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def stored(query: Query, number: int) -> Callable[[], bool]:
    return lambda: query(STORED) == [(number,)]


def test_published_events_land_and_the_promise_is_told(
    redis_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    start_collector(redis_url)

    publisher.events(*range(50))

    eventually(stored(query, 50))
    eventually(lambda: query("SELECT promise FROM collector") == [(promise.SUBSCRIPTION,)])
    assert query(GAPS) == []


def test_a_subscription_with_a_prefix_outlives_the_question_whether_the_server_lives(
    redis_url: str, start_collector: StartCollector, client: "redis.Redis", query: Query
) -> None:
    """kombu's own client could not read the answer, and the subscription broke every five seconds."""
    options = {"global_keyprefix": "shop-"}
    start_collector(redis_url, broker_transport_options=json.dumps(options), inspect_interval=timedelta(0))
    eventually(lambda: [one for one in client.client_list() if one["cmd"] == "ping" and one["psub"] == "2"])

    with Publisher(redis_url, **options) as publisher:
        publisher.event(0)

        eventually(stored(query, 1))
    assert query(GAPS) == []


def test_a_difference_in_fanout_patterns_is_bridged(
    redis_url: str, start_collector: StartCollector, query: Query
) -> None:
    start_collector(redis_url)

    with Publisher(redis_url, fanout_patterns=False) as publisher:
        publisher.events(*range(10))

        eventually(stored(query, 10))


def test_an_interrupted_subscription_is_a_gap_and_goes_on(
    redis_url: str, start_collector: StartCollector, publisher: Publisher, client: "redis.Redis", query: Query
) -> None:
    collector = start_collector(redis_url)
    publisher.event(0)
    eventually(stored(query, 1))

    client.client_kill_filter(_type="pubsub")
    eventually(lambda: query(GAPS) == [("subscription_lost", "the subscription was interrupted")])
    eventually(collector.ready)
    publisher.event(1)

    eventually(stored(query, 2))


@pytest.mark.parametrize("persistence", ["appendonly yes", "appendonly no"])
def test_a_killed_server_that_comes_back_is_a_gap_and_events_flow_again(
    persistence: str, start_redis: StartRedis, start_collector: StartCollector, query: Query
) -> None:
    server = start_redis(persistence)
    collector = start_collector(server.url, probe_interval=timedelta(milliseconds=200))
    with Publisher(server.url) as publisher:
        publisher.event(0)
    eventually(stored(query, 1))

    server.kill()
    eventually(lambda: not collector.ready())
    server.start()
    eventually(collector.ready)
    probed = echoes(collector)
    with Publisher(server.url) as publisher:
        publisher.event(1)

    eventually(stored(query, 2))
    eventually(lambda: query(GAPS) == [("subscription_lost", "the subscription was interrupted")])
    eventually(lambda: echoes(collector) > probed)


def test_the_time_without_any_collector_is_a_gap(
    redis_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    start_collector(redis_url).stop()
    query(AN_HOUR_AGO)
    publisher.events(*range(10))

    start_collector(redis_url)

    eventually(
        lambda: query("SELECT reason, ended_at - started_at > interval '59 min' FROM gap") == [("collector_away", True)]
    )
    assert query(STORED) == [(0,)]


def test_a_quick_restart_is_a_gap_too_once_it_is_clear_that_nobody_else_lives(
    redis_url: str, start_collector: StartCollector, query: Query
) -> None:
    start_collector(redis_url).stop()

    start_collector(redis_url)

    eventually(lambda: query(GAPS) == [("collector_away", "no collector was subscribed")])


def test_while_another_collector_lives_a_start_is_no_gap(
    redis_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    start_collector(redis_url)
    eventually(lambda: query("SELECT 1 FROM collector"))

    start_collector(redis_url)
    publisher.events(*range(10))
    eventually(lambda: query(SETTLED) == [(2,)])

    assert query(GAPS) == []
    assert query("SELECT sum(count) FROM rollup_1m") == [(10,)]


def test_a_short_life_beside_another_collector_is_no_gap(
    redis_url: str, start_collector: StartCollector, query: Query
) -> None:
    start_collector(redis_url)
    eventually(lambda: query("SELECT 1 FROM collector"))

    start_collector(redis_url).stop()

    eventually(lambda: query("SELECT count(*) FROM collector WHERE stopped_at IS NOT NULL") == [(1,)])
    assert query(GAPS) == []


def test_a_planned_restart_hands_over_without_a_hole(
    redis_url: str, start_collector: StartCollector, publisher: Publisher, query: Query
) -> None:
    publishing, published = threading.Event(), count()
    running = start_collector(redis_url)

    def publish() -> None:
        while not publishing.is_set():
            publisher.event(next(published))

    thread = threading.Thread(target=publish)
    thread.start()
    for _ in range(2):
        following = start_collector(redis_url)
        running.stop()
        running = following
    publishing.set()
    thread.join()

    total = next(published)
    assert total > 100
    eventually(stored(query, total))
    assert query("SELECT sum(count) FROM rollup_1m") == [(total,)]
    assert query(GAPS) == []


def test_events_are_kept_in_memory_while_the_database_is_away(
    redis_url: str, start_collector: StartCollector, publisher: Publisher, query: Query, line: Proxy
) -> None:
    collector = start_collector(redis_url)
    line.cut()
    publisher.events(*range(50))
    eventually(lambda: not collector.ready())

    line.mend()

    eventually(stored(query, 50))
    assert query(GAPS) == []


def test_what_does_not_fit_into_memory_is_counted_and_recorded(
    redis_url: str, start_collector: StartCollector, publisher: Publisher, query: Query, line: Proxy
) -> None:
    collector = start_collector(redis_url, buffer_size=10, batch_size=1)
    line.cut()
    publisher.events(*range(50))
    eventually(lambda: received(collector) == 50)

    line.mend()

    # Ten are in the buffer; the opener and the place behind it hold one each, and a writer that had one keeps it.
    eventually(
        lambda: query("SELECT count(*) FROM task_event") == [(50 - sample(collector, "messages_dropped_total"),)]
    )
    dropped = int(sample(collector, "messages_dropped_total"))
    eventually(lambda: query("SELECT reason, count FROM gap") == [("buffer_full", dropped)])
    assert 0 < 50 - dropped - 12 <= pipeline.WRITERS


def test_what_does_not_fit_into_memory_goes_by_the_disk_and_lands_in_order(  # noqa: PLR0917 - fixtures
    redis_url: str,
    start_collector: StartCollector,
    publisher: Publisher,
    query: Query,
    line: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two writers commit neighbouring batches in either order; with one the log shows what came out of the disk.
    monkeypatch.setattr(pipeline, "WRITERS", 1)
    collector = start_collector(redis_url, buffer_size=400, batch_size=20, spool_dir=str(tmp_path))
    line.cut()
    publisher.events(*range(400))
    eventually(lambda: received(collector) == 400)
    eventually(lambda: sample(collector, "messages_spooled_total") > 50)

    line.mend()

    eventually(stored(query, 400))
    assert query(GAPS) == []
    times = query("SELECT lag FROM task_event ORDER BY ctid")  # their own time is one and the same
    assert times == sorted(times)
    eventually(lambda: sample(collector, "spool_messages") == 0)


def test_a_stop_while_the_database_is_away_loses_nothing(  # noqa: PLR0917 - fixtures
    redis_url: str,
    start_collector: StartCollector,
    publisher: Publisher,
    query: Query,
    line: Proxy,
    tmp_path: Path,
) -> None:
    options: dict[str, Any] = {"spool_dir": str(tmp_path), "stop_timeout": timedelta(seconds=1)}
    collector = start_collector(redis_url, **options)
    line.cut()
    publisher.events(*range(50))
    eventually(lambda: received(collector) == 50)
    eventually(lambda: not collector.ready())
    collector.stop()
    line.mend()

    start_collector(redis_url, **options)

    eventually(stored(query, 50))


def test_a_directory_that_cannot_be_written_leaves_the_collector_with_memory_alone(
    redis_url: str, start_collector: StartCollector, publisher: Publisher, query: Query, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    collector = start_collector(redis_url, spool_dir=str(tmp_path / "file"))
    publisher.event(0)

    eventually(stored(query, 1))
    assert sample(collector, "spool_failures_total") == 1


def test_a_stop_writes_everything_that_was_published_before_it(
    redis_url: str, start_collector: StartCollector, client: "redis.Redis", query: Query
) -> None:
    collector = start_collector(redis_url)
    pipeline = client.pipeline(transaction=False)
    for task_id in TASKS[:5000]:
        pipeline.publish("/0.celeryev/task.multi", json.dumps(wrapped(body(uuid=task_id))))
    pipeline.execute()

    collector.stop()

    assert query(STORED) == [(5000,)]


def test_a_slow_reader_reads_all_that_was_published_before_its_farewell(redis_url: str, client: "redis.Redis") -> None:
    ticks = count(step=0.01)  # each look at the clock takes a hundredth of a second: fifty for what follows
    held = Buffer(messages=10_000, size=10_000_000)
    surroundings = Surroundings(
        connect=lambda: cast("driver.Connection", _kombu.Connection(redis_url)),
        exchange="celeryev",
        buffer=held,
        gaps=gaps.Gaps(),
        broker=Availability(time.monotonic),
        metrics=Metrics(),
        backoff=Backoff(random.random),
    )
    receiver = RedisReceiver(surroundings, clock=lambda: next(ticks))
    receiver.start()
    eventually(lambda: surroundings.broker.available)

    pipeline = client.pipeline(transaction=False)
    for task_id in TASKS[:5000]:
        pipeline.publish("/0.celeryev/task.multi", json.dumps(wrapped(body(uuid=task_id))))
    pipeline.execute()
    receiver.pause()

    receiver.join()
    held.close()
    assert sum(1 for _ in iter(lambda: held.take(0), None)) == 5000


def test_garbage_between_good_events_is_set_aside_and_the_good_ones_land(
    redis_url: str, start_collector: StartCollector, publisher: Publisher, client: "redis.Redis", query: Query
) -> None:
    collector = start_collector(redis_url)
    publisher.event(0)
    garbage.publish(publisher)
    for raw in (b"", b"hello", b"7", b"{}", b"\xff", b"[" * 100_000):
        client.publish("/0.celeryev/task.multi", raw)
    publisher.event(1, "task-succeeded", runtime=None)

    eventually(stored(query, 2))
    eventually(lambda: dict(query(ASIDE)) == garbage.REASONS | {"envelope": 6})
    assert collector.ready()


def echoes(collector: Collector) -> float:
    return collector.metrics.registry.get_sample_value("flower_collector_probe_seconds_count") or 0


def received(collector: Collector) -> float:
    return sample(collector, "messages_received_total")


def sample(collector: Collector, name: str) -> float:
    return collector.metrics.registry.get_sample_value(f"flower_collector_{name}") or 0
