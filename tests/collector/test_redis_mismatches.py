"""Redis: workers whose options differ from the collector's are heard of, and the option is named."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.collector.conftest import Query
from tests.collector.publishing import Publisher
from tests.services.redis_servers import StartRedis
from tests.services.workers import StartWorker
from tests.waiting import eventually

from flower_collector.service import Collector
from flower_collector.strangers import HEARTBEATS

pytestmark = pytest.mark.slow

StartCollector = Callable[..., Collector]
FINDINGS = "SELECT f->>'kind', f->>'sentence' FROM collector, jsonb_array_elements(findings) f"
OF_CLUSTER = (
    "SELECT f->>'sentence' FROM cluster c JOIN collector k ON k.cluster_id = c.id, jsonb_array_elements(k.findings) f "
    "WHERE slug = %s AND f->>'kind' = 'events_elsewhere'"
)
RECEIVER, ALL = 2, 4
"""Patterns subscribed to by the receiver alone, and with those of one who listens for others."""


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def listening(redis_url: str, start_collector: StartCollector, client: "redis.Redis") -> Collector:
    """A collector that listens for strangers at this moment."""
    collector = start_collector(redis_url, inspect_interval=timedelta(0))
    eventually(lambda: client.pubsub_numpat() == ALL)
    return collector


@pytest.mark.parametrize(
    ("database", "theirs", "told"),
    [
        (0, {"global_keyprefix": "shop-"}, "global_keyprefix is 'shop-' there and empty or off here"),
        (3, {}, "the number of the database is '3' there and '0' here"),
        (0, {"fanout_prefix": False}, "fanout_prefix is empty or off there and '/0.' here"),
        (0, {"fanout_prefix": "/x{db}."}, "fanout_prefix is '/x0.' there and '/0.' here"),
        (0, {"exchange": "shopev"}, "event_exchange is 'shopev' there and 'celeryev' here"),
        (3, {"fanout_patterns": False}, "the number of the database is '3' there and '0' here"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("listening")
def test_the_third_heartbeat_by_another_way_names_the_option_that_differs(
    database: int, theirs: dict[str, Any], told: str, redis_url: str, query: Query
) -> None:
    url = redis_url.removesuffix("0") + str(database)

    with Publisher(url, **theirs) as publisher:
        publisher.heartbeats(HEARTBEATS)

    ((kind, sentence),) = eventually(lambda: query(FINDINGS))
    assert kind == "events_elsewhere"
    assert "celery@a" in sentence
    assert told in sentence


@pytest.mark.parametrize(
    ("database", "theirs", "told"),
    [
        (0, {"global_keyprefix": "shop-"}, "global_keyprefix is 'shop-' there and empty or off here"),
        (3, {}, "the number of the database is '3' there and '0' here"),
    ],
    ids=str,
)
def test_one_who_reads_the_stream_alone_listens_for_them_too(  # noqa: PLR0917 - fixtures
    database: int,
    theirs: dict[str, Any],
    told: str,
    redis_url: str,
    start_collector: StartCollector,
    client: "redis.Redis",
    query: Query,
) -> None:
    start_collector(redis_url, redis_mode="stream", inspect_interval=timedelta(0))
    eventually(lambda: client.pubsub_numpat() == ALL - RECEIVER)

    with Publisher(redis_url.removesuffix("0") + str(database), **theirs) as publisher:
        publisher.heartbeats(HEARTBEATS)

    ((kind, sentence),) = eventually(lambda: query(FINDINGS))
    assert (kind, told in sentence) == ("events_elsewhere", True)


def test_what_is_elsewhere_is_nobody_s_business_where_one_of_our_workers_is_heard(
    listening: Collector, redis_url: str, client: "redis.Redis", query: Query
) -> None:
    with Publisher(redis_url, global_keyprefix="another-") as another, Publisher(redis_url) as ours:
        another.heartbeats(HEARTBEATS - 1)
        ours.heartbeats(1)
        eventually(lambda: client.pubsub_numpat() == RECEIVER)
        another.heartbeats(1)

    eventually(lambda: query("SELECT 1 FROM worker"))
    assert query(FINDINGS) == []
    assert listening.metrics.registry.get_sample_value("flower_collector_findings", ELSEWHERE) == 0


ELSEWHERE = {"kind": "events_elsewhere"}


def test_an_event_by_our_way_unsays_it(listening: Collector, redis_url: str, query: Query) -> None:
    with Publisher(redis_url, global_keyprefix="shop-") as publisher:
        publisher.heartbeats(HEARTBEATS)
    eventually(lambda: query(FINDINGS))
    shown = listening.metrics.registry.get_sample_value("flower_collector_findings", ELSEWHERE)

    with Publisher(redis_url) as publisher:
        publisher.heartbeats(1)

    eventually(lambda: query(FINDINGS) == [])
    assert shown == 1
    assert listening.ready()


def test_who_may_not_subscribe_to_everything_collects_all_the_same(
    start_redis: StartRedis, start_collector: StartCollector, query: Query
) -> None:
    mine = "resetchannels &/0.celeryev &/0.celeryev/* &/0.celery.pidbox"
    server = start_redis(
        f"user default on nopass ~* +@all {mine}", "user root on >root ~* &* +@all", username="root", password="root"
    )
    collector = start_collector(server.url, probe_interval=timedelta(milliseconds=200))

    with server.client() as client:
        eventually(lambda: [one for one in client.acl_log() if one["reason"] == "channel"])
    with Publisher(server.url) as publisher:
        publisher.event(0)

    eventually(lambda: query("SELECT count(*) FROM task_event") == [(1,)])
    assert collector.ready()


def test_probes_that_do_not_come_back_are_told(
    redis_url: str, start_collector: StartCollector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: Query
) -> None:
    (tmp_path / "split_shop.py").write_text(
        f"from celery import Celery\napp = Celery('shop', set_as_current=False)\n"
        f"app.conf.broker_read_url, app.conf.broker_write_url = {redis_url!r}, {redis_url.removesuffix('0') + '1'!r}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    start_collector("", app="split_shop", probe_interval=timedelta(milliseconds=50))

    ((kind, sentence),) = eventually(lambda: query(FINDINGS))
    assert kind == "probe_lost"
    assert "broker_write_url" in sentence


def test_a_real_worker_is_found_by_collectors_of_each_other_option(
    redis_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    """The four differences that make silence: of the fourth, fanout_patterns, there is none (it is bridged)."""
    worker = start_worker(redis_url, options=["--pool", "solo", "--heartbeat-interval", "1"])
    others: dict[str, dict[str, Any]] = {
        "prefix": {"broker_transport_options": json.dumps({"global_keyprefix": "shop-"})},
        "fanout": {"broker_transport_options": json.dumps({"fanout_prefix": False})},
        "patterns": {"broker_transport_options": json.dumps({"fanout_patterns": False})},
        "database": {},
    }
    for cluster, changed in others.items():
        url = redis_url.removesuffix("0") + ("5" if cluster == "database" else "0")
        start_collector(url, cluster=cluster, **changed)

    told = {cluster: sentence_of(query, cluster) for cluster in others if cluster != "patterns"}

    assert all(worker.hostname in sentence for sentence in told.values())
    assert "global_keyprefix is empty or off there and 'shop-' here" in told["prefix"]
    assert "fanout_prefix is '/0.' there and empty or off here" in told["fanout"]
    assert "the number of the database is '0' there and '5' here" in told["database"]
    assert query(OF_CLUSTER, "patterns") == []
    heard = "SELECT hostname FROM worker w JOIN cluster c ON c.id = cluster_id WHERE slug = 'patterns'"
    assert query(heard) == [(worker.hostname,)]


def test_a_real_worker_that_answers_but_is_not_heard_is_named(
    redis_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    worker = start_worker(
        redis_url, options=["--pool", "solo", "--heartbeat-interval", "1"], settings={"event_exchange": "shopev"}
    )

    start_collector(redis_url)

    eventually(lambda: len(query(FINDINGS)) == 2)
    told: dict[str, str] = dict(query(FINDINGS))
    assert worker.hostname in told["workers_silent"]
    assert "event_exchange" in told["workers_silent"]
    assert "event_exchange is 'shopev' there" in told["events_elsewhere"]


def sentence_of(query: Query, cluster: str) -> str:
    return str(eventually(lambda: query(OF_CLUSTER, cluster))[0][0])
