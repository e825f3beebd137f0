"""Redis, durable mode: what an application with the add-on appends is stored once, whatever becomes of collectors."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs
from tests.collector.appending import Application
from tests.collector.conftest import Query
from tests.collector.messages import NOON
from tests.collector.proxy import Proxy
from tests.collector.publishing import Publisher
from tests.waiting import eventually

from flower_collector import promise
from flower_collector.receivers import consumer_group, stream
from flower_collector.receivers.consumer_group import ConsumerGroup, Page
from flower_collector.service import Collector

pytestmark = pytest.mark.slow

KEY, GROUP = "flower.celeryev", "flower.default"
StartCollector = Callable[..., Collector]
AN_HOUR_AGO = """
UPDATE collector SET beat_at = beat_at - interval '1 hour', committed_at = committed_at - interval '1 hour' RETURNING 1
"""
STORED = "SELECT count(*) FROM task_event"
COUNTED = "SELECT coalesce(sum(count), 0) FROM rollup_1m"
ASIDE = "SELECT reason, count(*) FROM set_aside GROUP BY 1"
GAPS = "SELECT reason, count FROM gap WHERE reason LIKE 'stream%' ORDER BY id"
STREAM = {"redis_mode": "stream"}


@pytest.fixture
def application(redis_url: str) -> Iterator[Application]:
    with Application(redis_url) as application:
        yield application


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def stored(query: Query, number: int) -> Callable[[], bool]:
    return lambda: query(STORED) == [(number,)]


def pending(client: Any) -> int:
    """Entries that some collector holds."""
    found: int = client.xpending(KEY, GROUP)["pending"]
    return found


def held_for(client: Any) -> timedelta:
    """How long the last of exactly ten entries has been held."""
    found = client.xpending_range(KEY, GROUP, "-", "+", 10) if client.exists(KEY) else []
    return timedelta(milliseconds=found[-1]["time_since_delivered"] if len(found) == 10 else 0)


def taken_over(collector: Collector) -> float | None:
    return collector.metrics.registry.get_sample_value("flower_collector_entries_taken_over_total")


@pytest.mark.parametrize("mode", ["auto", "stream"])
def test_what_was_appended_while_no_collector_ran_lands_and_is_acknowledged(
    *, mode: str, redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query
) -> None:
    start_collector(redis_url, redis_mode=mode).stop()
    application.events(*range(50))

    collector = start_collector(redis_url, redis_mode=mode)

    eventually(stored(query, 50))
    eventually(lambda: pending(client) == 0)
    assert collector.ready()
    assert query(GAPS) == []


@pytest.mark.parametrize(
    ("before", "gaps"),
    [("auto", [("not_subscribed",)]), ("pubsub", [("collector_away",)])],
    ids=["a stream that was read before", "a stream that nobody had read"],
)
def test_beside_a_stream_an_absence_is_a_gap_of_the_others_alone(
    *, before: str, gaps: list[tuple[str]], redis_url: str, start_collector: StartCollector, application: Application,
    query: Query,
) -> None:  # fmt: skip
    application.event(0)
    start_collector(redis_url, redis_mode=before).stop()
    query(AN_HOUR_AGO)

    start_collector(redis_url, redis_mode="auto")

    eventually(lambda: query("SELECT reason FROM gap") == gaps)


def test_a_change_to_the_durable_mode_is_no_loss_of_a_stream(
    redis_url: str, start_collector: StartCollector, application: Application, query: Query
) -> None:
    start_collector(redis_url, redis_mode="pubsub").stop()
    application.events(*range(10))

    start_collector(redis_url, **STREAM).stop()

    assert query(STORED) == [(10,)]
    assert query("SELECT reason FROM gap") == []


def test_a_stream_that_went_while_no_collector_ran_is_a_loss(
    redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query
) -> None:
    application.event(0)
    start_collector(redis_url, **STREAM).stop()

    client.flushall()
    start_collector(redis_url, **STREAM)

    eventually(lambda: query(GAPS) == [("stream_lost", None)])
    # With the last event that was read: a collector that ends may leave unread what was sent long before.
    assert query("SELECT started_at FROM gap") == [(NOON,)]


@pytest.mark.parametrize(
    ("mode", "promised"),
    [("auto", promise.STREAM_AND_SUBSCRIPTION), ("stream", promise.STREAM), ("pubsub", promise.SUBSCRIPTION)],
)
def test_the_mode_and_its_promise_are_told(
    *, mode: str, promised: str, redis_url: str, start_collector: StartCollector, application: Application, query: Query
) -> None:
    application.event(0)

    start_collector(redis_url, redis_mode=mode)

    eventually(lambda: query("SELECT promise FROM collector") == [(promised,)])


def test_a_stream_that_begins_later_is_found(
    redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query
) -> None:
    start_collector(redis_url)
    eventually(lambda: query("SELECT promise FROM collector") == [(promise.SUBSCRIPTION,)])

    application.events(*range(10))

    eventually(lambda: client.exists(KEY) and client.xinfo_groups(KEY) and pending(client) == 0)
    eventually(lambda: query("SELECT promise FROM collector") == [(promise.STREAM_AND_SUBSCRIPTION,)])
    assert query(STORED) == [(10,)]
    assert query(GAPS) == []


def test_events_of_both_ways_are_counted_once_and_those_of_other_workers_land(
    redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query
) -> None:
    application.event(0)
    start_collector(redis_url)
    eventually(lambda: pending(client) == 0 and query(STORED) == [(1,)])

    for number in range(1, 100):
        application.buffer(number)
        if number % 10 == 0:
            application.dispatcher.flush()
    application.dispatcher.flush()
    with Publisher(redis_url) as stock:
        stock.events(*range(100, 150))

    eventually(stored(query, 150))
    eventually(lambda: pending(client) == 0)
    assert query(COUNTED) == [(150,)]


@pytest.mark.parametrize(
    ("options", "key"),
    [({"global_keyprefix": "shop-"}, "shop-flower.celeryev"), ({"fanout_prefix": "/x.{db}."}, "flower.celeryev")],
)
def test_the_transport_options_are_followed(
    *, options: dict[str, object], key: str, redis_url: str, start_collector: StartCollector, client: Any, query: Query
) -> None:
    with Application(redis_url, broker_transport_options=options) as application:
        application.events(*range(10))

    start_collector(redis_url, **STREAM, broker_transport_options=json.dumps(options))

    eventually(stored(query, 10))
    assert client.exists(key)


def test_entries_of_a_dead_collector_are_taken_over(
    redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query
) -> None:
    application.events(*range(10))
    client.xgroup_create(KEY, GROUP, id="0-0")
    client.xreadgroup(GROUP, "dead", {KEY: ">"}, count=7)

    collector = start_collector(redis_url, **STREAM)

    eventually(stored(query, 10))
    eventually(lambda: pending(client) == 0)
    assert taken_over(collector) == 7


def test_what_a_living_collector_holds_is_left_to_it(
    *, redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query, line: Proxy
) -> None:
    collectors = [start_collector(redis_url, **STREAM, hold_for=timedelta(hours=1)) for _ in range(2)]
    line.cut()
    application.events(*range(10))
    eventually(lambda: held_for(client) > consumer_group.SILENT_FOR + timedelta(seconds=2))
    line.mend()

    eventually(stored(query, 10))
    assert [taken_over(one) for one in collectors] == [0, 0]


def test_a_stop_leaves_nothing_behind(
    redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query
) -> None:
    collector = start_collector(redis_url, **STREAM)
    application.events(*range(100))
    eventually(lambda: client.xinfo_groups(KEY)[0]["entries-read"] == 100)

    collector.stop()

    assert query(STORED) == [(100,)]
    assert pending(client) == 0
    assert client.xinfo_consumers(KEY, GROUP) == []


def test_collectors_share_the_stream(
    redis_url: str, start_collector: StartCollector, application: Application, query: Query
) -> None:
    collectors = [start_collector(redis_url, **STREAM, batch_size=10) for _ in range(2)]

    application.events(*range(1_000))

    eventually(stored(query, 1_000))
    taken = [one.metrics.registry.get_sample_value("flower_collector_messages_received_total") for one in collectors]
    assert sum(one or 0 for one in taken) == 1_000
    assert query(COUNTED) == [(1_000,)]


def test_with_the_database_away_a_bounded_number_is_held_and_the_stream_holds_the_rest(
    *, redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query, line: Proxy
) -> None:
    collector = start_collector(redis_url, **STREAM, batch_size=20)
    line.cut()
    application.events(*range(500))
    eventually(lambda: not collector.readiness()["database"])

    assert pending(client) <= 60

    line.mend()
    eventually(stored(query, 500))
    eventually(lambda: pending(client) == 0)
    assert query(GAPS) == []


def test_what_is_trimmed_unread_is_counted(
    redis_url: str, start_collector: StartCollector, client: Any, query: Query
) -> None:
    start_collector(redis_url, **STREAM).stop()
    with Application(redis_url, flower_stream_max_length=100) as application:
        application.events(*range(1_000))
        left = client.xlen(KEY)

        start_collector(redis_url, **STREAM)

        eventually(stored(query, left))
        eventually(lambda: query(GAPS) == [("stream_trimmed", 1_000 - left)])
        application.events(*range(1_000, 1_050))
        eventually(stored(query, left + 50))
        eventually(lambda: pending(client) == 0)
    assert client.xinfo_groups(KEY)[0]["entries-read"] == client.xinfo_stream(KEY)["entries-added"] == 1_050
    assert query(GAPS) == [("stream_trimmed", 1_000 - left)]


def test_what_a_dead_collector_held_and_was_trimmed_is_counted(
    redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query
) -> None:
    application.events(*range(10))
    client.xgroup_create(KEY, GROUP, id="0-0", entries_read=0)
    client.xreadgroup(GROUP, "dead", {KEY: ">"}, count=7)
    client.xtrim(KEY, maxlen=5, approximate=False)

    start_collector(redis_url, **STREAM)

    eventually(stored(query, 5))
    eventually(lambda: query(GAPS) == [("stream_trimmed", 5)])


def test_a_stream_that_vanishes_is_made_again_and_the_gap_is_recorded(
    redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query
) -> None:
    collector = start_collector(redis_url, **STREAM)
    application.event(0)
    eventually(stored(query, 1))

    client.flushall()
    eventually(lambda: client.exists(KEY) and client.xinfo_groups(KEY), within=10)
    application.event(1)

    eventually(stored(query, 2))
    eventually(lambda: query(GAPS) == [("stream_lost", None)])
    assert collector.ready()


def test_something_else_under_the_key_is_no_end_and_events_are_read_by_subscription(
    redis_url: str, start_collector: StartCollector, client: Any, query: Query
) -> None:
    collector = start_collector(redis_url)
    client.set(KEY, "a text")
    eventually(lambda: not collector.ready())

    with Publisher(redis_url) as publisher:
        publisher.events(*range(10))
    eventually(stored(query, 10))
    client.delete(KEY)

    eventually(collector.ready)


def test_where_a_user_of_redis_may_not_look_for_a_stream_events_are_read_by_subscription(
    redis_url: str, start_collector: StartCollector, client: Any, query: Query
) -> None:
    client.acl_setuser("narrow", enabled=True, passwords=["+secret"], keys=["_kombu*", "celery*"], channels=["*"],
                       categories=["+@all"])  # fmt: skip
    try:
        collector = start_collector(redis_url.replace("redis://", "redis://narrow:secret@"))

        with Publisher(redis_url) as publisher:
            publisher.events(*range(10))

        eventually(stored(query, 10))
        assert collector.ready()
        collector.stop()
    finally:
        client.acl_deluser("narrow")


def test_strange_entries_are_set_aside_and_acknowledged(
    redis_url: str, start_collector: StartCollector, application: Application, client: Any, query: Query
) -> None:
    start_collector(redis_url, **STREAM)
    application.event(0)
    client.xadd(KEY, {"a": "b"})
    client.xadd(KEY, {"body": b"\xff", "content-type": b"\xff"})
    application.event(1)

    eventually(stored(query, 2))
    eventually(lambda: dict(query(ASIDE)) == {"envelope": 1, "content_type": 1})
    eventually(lambda: pending(client) == 0)


@pytest.mark.parametrize("mode", ["auto", "stream"])
def test_a_server_that_is_too_old_is_named_with_the_option_that_helps(
    *, mode: str, redis_url: str, launch_collector: StartCollector, application: Application, query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(consumer_group, "OLDEST", 99)
    application.event(0)

    with capture_logs() as logged:
        collector = launch_collector(redis_url, redis_mode=mode)
        told = eventually(lambda: [one for one in logged if one["event"] == stream.TOO_OLD])

    assert "needs Redis 99 or Valkey, and this server is Redis 7" in told[0]["reason"]
    assert "--redis-mode pubsub" in told[0]["reason"]
    if mode == "stream":
        assert not collector.ready()
        return
    eventually(collector.ready)
    application.event(1)
    eventually(stored(query, 1))


def test_what_is_trimmed_between_two_looks_is_read_by_nobody_before_it_is_told(
    application: Application, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.events(*range(10))
    group = ConsumerGroup(client, key=KEY, group=GROUP, consumer="a")
    group.create()
    assert len(group.read(2).entries) == 2
    looks: list[object] = []
    pipeline = client.pipeline

    def trimmed_before_the_second(**options: bool) -> Any:
        looks.append(options)
        if len(looks) == 2:
            client.xtrim(KEY, maxlen=3, approximate=False)
        return pipeline(**options)

    monkeypatch.setattr(client, "pipeline", trimmed_before_the_second)
    assert group.read(5) == Page()
    assert pending(client) == 2  # what was read before, and nothing behind the hole

    found = group.read(5).hole
    assert found is not None
    assert (found.events, group.read(5).hole) == (5, found)

    group.close(found)
    assert len(group.read(5).entries) == 3
    assert client.xinfo_groups(KEY)[0]["entries-read"] == 10
