"""How full queues are, by the real brokers' word."""

import json
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import kombu
import pytest
from structlog.testing import capture_logs
from tests.collector import proxy
from tests.collector.asking import Asker
from tests.collector.conftest import Query
from tests.services import celery_app, certificates
from tests.services.rabbitmq import RabbitMQ as Node
from tests.services.redis_servers import MASTER, RedisServer, Sentinels, StartRedis
from tests.services.workers import StartWorker
from tests.waiting import eventually

from flower_collector import broker_address
from flower_collector.queues import rabbitmq as asking
from flower_collector.queues import sampler
from flower_collector.queues.other import Other
from flower_collector.queues.rabbitmq import RabbitMQ
from flower_collector.queues.redis import Redis
from flower_collector.queues.way import Unsupported, Way
from flower_collector.service import Collector
from flower_store.queue_samples import QueueSample
from flower_store.settings import StoreSettings

pytestmark = pytest.mark.slow

StartCollector = Callable[..., Collector]
OFTEN = timedelta(milliseconds=200)
LAST = (
    "SELECT s.messages, s.ready, s.unacked, s.consumers FROM queue_sample s JOIN queue q ON q.id = s.queue_id "
    "WHERE q.name = %s ORDER BY s.at DESC LIMIT 1"
)
_kombu: Any = kombu  # it ships no types


@contextmanager
def connected(url: str, **options: Any) -> Generator[Any]:
    confirmed = {"confirm_publish": True} if url.startswith("amqp") else {}
    with _kombu.Connection(url, transport_options=confirmed | options) as connection:
        yield connection


def put(connection: Any, queue: str, number: int, **properties: Any) -> None:
    """Plain messages, by kombu's own way."""
    with connection.channel() as channel:
        target = _kombu.Queue(queue, channel=channel, no_declare=False)
        target.declare()
        producer = _kombu.Producer(channel)
        for _ in range(number):
            producer.publish({}, routing_key=queue, exchange="", **properties)


def ignored(_: object) -> None:
    """What is delivered stays unacknowledged."""


def asked(way: Way, connection: Any, *names: str) -> dict[str, QueueSample]:
    return {one.name: one for one in way.sample(connection, frozenset(names))}


# --- Redis -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"global_keyprefix": "shop-"}, {"priority_steps": list(range(10)), "sep": ":"}, {"priority_steps": [0, 5]}],
    ids=str,
)
def test_messages_of_every_priority_count(redis_url: str, options: dict[str, Any]) -> None:
    with connected(redis_url, **options) as connection:
        for priority in range(10):
            put(connection, "work", 2, priority=priority)
        put(connection, "other", 1)

        found = asked(Redis(), connection, "work", "other", "absent")

    assert {name: (one.messages, one.ready, one.unacked) for name, one in found.items()} == {
        "work": (20, 20, 0), "other": (1, 1, 0), "absent": (0, 0, 0),
    }  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "shop-"])
def test_what_a_worker_has_taken_is_told_by_queue(redis_url: str, prefix: str) -> None:
    with connected(redis_url, global_keyprefix=prefix) as connection:
        put(connection, "work", 5)
        put(connection, "other", 1)
        with connection.channel() as channel:
            held = [channel.basic_get("work") for _ in range(2)]
            assert all(held)

            found = asked(Redis(), connection, "work", "other")
            unknown = asked(Redis(), connection, "other")

    assert (found["work"].messages, found["work"].ready, found["work"].unacked) == (5, 3, 2)
    assert found["other"].unacked == 0
    # Some are of a queue that is not asked for, or of another routing key: then of none it is known.
    assert (unknown["other"].messages, unknown["other"].ready, unknown["other"].unacked) == (None, 1, None)


def test_a_key_of_another_type_spoils_no_other_queue(redis_url: str) -> None:
    with connected(redis_url) as connection:
        put(connection, "work", 1)
        with connection.channel() as channel:
            channel.client.set("odd", "text")

        found = asked(Redis(), connection, "odd", "work")

    assert (found["odd"].ready, found["work"].ready) == (None, 1)


def test_redis_by_a_socket_and_by_tls(start_redis: StartRedis, tmp_path: Path) -> None:
    files = certificates.made(tmp_path)
    lines = (f"tls-cert-file {files.certificate}", f"tls-key-file {files.key}", f"tls-ca-cert-file {files.authority}")
    secure = start_redis(*lines, "tls-auth-clients no", tls=True)
    urls = (
        f"redis+socket://{secure.socket}?virtual_host=2",
        f"rediss://127.0.0.1:{secure.port}/3?ssl_cert_reqs=required&ssl_ca_certs={files.authority}",
    )
    for number, url in enumerate(urls, start=1):
        with connected(url) as connection:
            put(connection, "work", number)

            assert asked(Redis(), connection, "work")["work"].ready == number


def test_redis_behind_sentinels_through_a_failover(
    start_redis: StartRedis,
    start_sentinels: Callable[[RedisServer], Sentinels],
    start_collector: StartCollector,
    query: Query,
) -> None:
    master = start_redis()
    replica = start_redis(f"replicaof 127.0.0.1 {master.port}")
    sentinels = start_sentinels(master)
    options = {"master_name": MASTER}
    client = celery_app.client(sentinels.url, settings={"broker_transport_options": options})
    start_collector(sentinels.url, broker_transport_options=json.dumps(options), queue_interval=OFTEN)
    client.send_task("tests.add", (1, 2), queue="nobody")
    eventually(lambda: query(LAST, "nobody") == [(1, 1, 0, None)])
    with replica.client() as administrator:
        eventually(lambda: administrator.llen("nobody") == 1)

    master.kill()
    eventually(lambda: sentinels.master_port() == replica.port)
    with replica.client() as administrator:
        eventually(lambda: administrator.role()[0] == "master")
        administrator.lpush("nobody", "{}")

    eventually(lambda: query(LAST, "nobody") == [(2, 2, 0, None)])


def test_queues_of_workers_and_of_tasks_are_sampled_with_the_age_of_what_waits(
    redis_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    start_collector(redis_url, queue_interval=OFTEN)
    start_worker(redis_url, queues=("celery", "mail"))
    client = celery_app.client(redis_url)
    first = client.send_task("tests.add", (1, 2), queue="nobody")
    for _ in range(2):
        client.send_task("tests.add", (1, 2), queue="nobody")

    eventually(lambda: query(LAST, "nobody") == [(3, 3, 0, None)])
    eventually(lambda: query(LAST, "celery") == [(0, 0, 0, None)])
    eventually(lambda: query(LAST, "mail") == [(0, 0, 0, None)])
    age = (
        "SELECT count(*) > 0 FROM queue_sample s JOIN queue q ON q.id = s.queue_id JOIN task t ON t.queue_id = q.id "
        "WHERE q.name = 'nobody' AND s.oldest_at = t.sent_at AND t.key = %s::uuid"
    )
    eventually(lambda: query(age, first.id) == [(True,)])


def test_a_queue_that_does_not_change_is_not_stored_each_time(
    redis_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    collector = start_collector(redis_url, queue_interval=OFTEN)
    start_worker(redis_url)
    eventually(lambda: query(LAST, "celery") == [(0, 0, 0, None)])
    before = sampled(collector)
    eventually(lambda: sampled(collector) > before + 10)

    assert query("SELECT count(*) <= 2 FROM queue_sample") == [(True,)]


def test_the_second_collector_does_not_ask(redis_url: str, start_collector: StartCollector) -> None:
    first = start_collector(redis_url, queue_interval=OFTEN)
    eventually(lambda: sampled(first) > 0)
    second = start_collector(redis_url, queue_interval=OFTEN)
    before = sampled(first)
    eventually(lambda: sampled(first) > before + 10)

    assert sampled(second) == 0


def test_a_broker_that_hangs_or_is_away_is_told_of_once_and_asked_again(
    redis_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    line = proxy.to(redis_url)
    try:
        with capture_logs() as logged:
            collector = start_collector(line.url(redis_url), queue_interval=OFTEN)
            start_worker(redis_url)
            eventually(lambda: query(LAST, "celery") == [(0, 0, 0, None)])

            line.cut()
            eventually(lambda: failures(collector) >= 3)
            line.mend()
            before = sampled(collector)
            eventually(lambda: sampled(collector) > before + 3)

            line.stall()
            before = failures(collector)
            eventually(lambda: failures(collector) > before)
            # Who beats and writes never waited for it.
            assert query("SELECT beat_at > now() - interval '10 seconds' FROM collector") == [(True,)]
            line.flow()
            before = sampled(collector)
            eventually(lambda: sampled(collector) > before + 3)
    finally:
        line.close()

    told = [one["event"] for one in logged if one["event"] in {sampler.FAILED, sampler.WORKS}]
    assert told == [sampler.FAILED, sampler.WORKS, sampler.FAILED, sampler.WORKS]


def test_no_queue_is_asked_for_where_that_is_not_wished(
    redis_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    collector = start_collector(redis_url, queue_interval=timedelta(0))
    start_worker(redis_url)
    eventually(lambda: query("SELECT 1 FROM worker_reply WHERE method = 'active_queues'"))

    assert "queues" not in collector.healthy()
    assert query("SELECT count(*) FROM queue_sample") == [(0,)]


# --- RabbitMQ --------------------------------------------------------------------------------------------------------


@pytest.fixture
def api_url(rabbitmq: Node) -> str:
    return f"http://127.0.0.1:{rabbitmq.management_port}"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """One that refuses, and that nobody else is given meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def declared(connection: Any, name: str, **options: Any) -> None:
    with connection.channel() as channel:
        channel.queue_declare(queue=name, **({"durable": True, "auto_delete": False} | options))


def test_the_management_api_tells_all_queues_of_the_virtual_host(rabbitmq_url: str, api_url: str) -> None:
    way = RabbitMQ(api_url=api_url, own=("flower.default",))
    with connected(rabbitmq_url) as connection:
        put(connection, "work", 3)
        declared(connection, "quorum", arguments={"x-queue-type": "quorum"})
        declared(connection, "stream", arguments={"x-queue-type": "stream"})
        declared(connection, "flower.default")
        declared(connection, "celeryev.one", durable=False, auto_delete=True)
        declared(connection, "temporary", durable=False, auto_delete=True)
        with connection.channel() as channel:
            channel.basic_consume("work", callback=ignored)
            channel.basic_qos(0, 1, False)
            channel.basic_get("work")
            expected = QueueSample(name="work", messages=3, ready=0, unacked=3, consumers=1)

            eventually(lambda: asked(way, connection, "temporary")["work"] == expected)

        found = asked(way, connection, "temporary")
    assert found.keys() == {"work", "quorum", "stream", "temporary"}


def test_every_page_is_read(rabbitmq_url: str, api_url: str) -> None:
    way = RabbitMQ(api_url=api_url, own=())
    names = {f"q{number}" for number in range(502)}
    with connected(rabbitmq_url) as connection:
        with connection.channel() as channel:
            for name in names:
                channel.queue_declare(queue=name, durable=False, auto_delete=False)

        assert asked(way, connection).keys() == names


def test_without_the_management_api_queues_are_declared_passively(rabbitmq_url: str, closed_port: int) -> None:
    way = RabbitMQ(api_url=f"http://127.0.0.1:{closed_port}", own=())
    with connected(rabbitmq_url) as connection, capture_logs() as logged:
        put(connection, "work", 3)
        declared(connection, "quorum", arguments={"x-queue-type": "quorum"})
        with connection.channel() as channel:
            channel.basic_consume("quorum", callback=ignored)

            names = ("absent", "work", "missing", "quorum")
            held = len(connection.connection.channels)
            found, again = asked(way, connection, *names), asked(way, connection, *names)
            assert len(connection.connection.channels) == held, "a connection has 2,047, and lives for months"

    assert found == again == {
        "work": QueueSample(name="work", ready=3, consumers=0),
        "quorum": QueueSample(name="quorum", ready=0, consumers=1),
    }  # fmt: skip
    assert [(one["event"], one["log_level"]) for one in logged] == [(asking.API_NOT_USED, "warning")]


@pytest.mark.parametrize("login", ["guest:s3cret-and-wrong", "nobody:s3cret-and-wrong"])
def test_a_wrong_password_is_told_without_it(rabbitmq_url: str, api_url: str, login: str) -> None:
    way = RabbitMQ(api_url=api_url.replace("//", f"//{login}@"), own=())
    with connected(rabbitmq_url) as connection, capture_logs() as logged:
        put(connection, "work", 2)

        assert asked(way, connection, "work")["work"].ready == 2

    assert "401" in logged[0]["error"]
    assert "s3cret" not in str(logged)


def test_a_management_api_that_hangs_or_talks_nonsense_is_not_waited_for(rabbitmq_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, connected(rabbitmq_url) as connection:
        put(connection, "work", 2)
        way = RabbitMQ(api_url=f"http://127.0.0.1:{silent.getsockname()[1]}", own=())

        assert asked(way, connection, "work")["work"].ready == 2


def test_the_default_address_is_the_broker_s_and_as_safe() -> None:
    with connected("amqp://u:p@broker.example:5000/v") as plain, connected("amqps://broker.example/v") as secure:
        told = [asking.default(connection) for connection in (plain, secure)]

    assert told == [
        broker_address.Address(host="broker.example", port=15672, secure=False),
        broker_address.Address(host="broker.example", port=15671, secure=True),
    ]


def test_a_certificate_of_the_management_api_is_verified(rabbitmq: Node, rabbitmq_url: str) -> None:
    """The node's port for AMQP by TLS stands for one by HTTPS: what is tried is the handshake before."""
    address = rabbitmq.tls_url("x").rpartition("@")[2].split("/")[0]
    with connected(rabbitmq_url) as connection, capture_logs() as logged:
        assert asked(RabbitMQ(api_url=f"https://{address}", own=()), connection) == {}

    assert "CERTIFICATE_VERIFY_FAILED" in logged[0]["error"]


def test_a_collector_of_rabbitmq_stores_what_its_workers_consume_and_what_nobody_does(
    *, rabbitmq_url: str, api_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    collector = start_collector(rabbitmq_url, broker_api=api_url, queue_interval=OFTEN)
    start_worker(rabbitmq_url)
    client = celery_app.client(rabbitmq_url)
    client.send_task("tests.add", (1, 2), queue="nobody")

    eventually(lambda: query(LAST, "nobody") == [(1, 1, 0, 0)])
    eventually(lambda: query(LAST, "celery") == [(0, 0, 0, 1)])
    # Neither the collector's own queue nor those for control and gossip.
    assert query("SELECT name FROM queue ORDER BY name") == [("celery",), ("nobody",)]
    assert collector.metrics.registry.get_sample_value("flower_collector_queues") == 2


# --- other transports ------------------------------------------------------------------------------------------------


def test_other_transports_tell_what_kombu_can(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    folder = str(tmp_path / "in")
    options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": str(tmp_path / "control")}
    with connected("filesystem://", **options) as connection:
        put(connection, "work", 3)

        assert asked(Other(), connection, "work") == {"work": QueueSample(name="work", ready=3)}


def test_a_transport_without_sizes_is_told_so() -> None:
    class Sizeless(_kombu.transport.virtual.Transport):  # type: ignore[misc]
        Channel = _kombu.transport.virtual.Channel

    with _kombu.Connection(transport=Sizeless) as connection, pytest.raises(Unsupported):
        asked(Other(), connection, "work")


# --- emptying one ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["redis_url", "rabbitmq_url"])
def broker_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


def test_a_queue_is_emptied_unless_it_holds_more_than_was_seen(
    broker_url: str, start_collector: StartCollector, store_settings: StoreSettings, query: Query
) -> None:
    collector = start_collector(broker_url)
    eventually(lambda: query("SELECT count(*) FROM collector") == [(1,)])
    ask = Asker(store_settings)
    with connected(broker_url) as connection:
        for priority in (0, 9):
            put(connection, "work", 2, priority=priority)
        put(connection, "other", 1)

        more = ask.ended("purge_queue", target={"queue": "work"}, arguments={"messages": 3})
        done = ask.ended("purge_queue", target={"queue": "work"}, arguments={"messages": 4})
        again = ask.ended("purge_queue", target={"queue": "work"}, arguments={"messages": 0})
        other = asked(Redis(), connection, "other") if broker_url.startswith("redis") else {}

    assert (more.status, more.reply) == (
        "failed", {"cause": "changed", "error": "4 messages wait in the queue, more than the 3 that were seen"}
    )  # fmt: skip
    assert (done.status, done.reply) == ("done", {"queue": "work", "purged": 4})
    assert (again.status, again.reply) == ("done", {"queue": "work", "purged": 0})
    assert all(one.ready == 1 for one in other.values())
    assert collector.ready()


def test_a_queue_that_is_not_there_is_not_emptied(
    rabbitmq_url: str, start_collector: StartCollector, store_settings: StoreSettings, query: Query
) -> None:
    start_collector(rabbitmq_url)
    eventually(lambda: query("SELECT count(*) FROM collector") == [(1,)])

    told = Asker(store_settings).ended("purge_queue", target={"queue": "nobody"}, arguments={"messages": 4})

    assert told.reply is not None
    assert (told.status, told.reply["cause"]) == ("failed", "changed")


# --- looking into one ------------------------------------------------------------------------------------------------


def test_what_waits_is_shown_in_its_order_without_secrets_and_stays(
    redis_url: str, start_collector: StartCollector, store_settings: StoreSettings, query: Query
) -> None:
    start_collector(redis_url, redact=("password",))
    eventually(lambda: query("SELECT count(*) FROM collector") == [(1,)])
    client = celery_app.client(redis_url)
    for number, priority in ((1, 9), (2, 0), (3, 0)):
        client.send_task(f"n{number}", (number,), {"password": "s3cret"}, queue="work", priority=priority, retries=2)
    with connected(redis_url) as connection, connection.channel() as channel:
        for odd in (b"no JSON", b"[1]", b'{"headers": {"id": {"a": [1]}, "task": "x\\u0000y", "retries": true}}'):
            channel.client.lpush("odd", odd)
        ask = Asker(store_settings)

        told = ask.ended("peek_queue", target={"queue": "work"}, arguments={"limit": 2})
        strange = ask.ended("peek_queue", target={"queue": "odd"}, arguments={"limit": 9})
        after = asked(Redis(), connection, "work")["work"]

    shown = json.loads(told.answer or "")
    assert [(one["name"], one["args"], one["retries"]) for one in shown] == [("n2", "(2,)", 2), ("n3", "(3,)", 2)]
    assert all("password" in one["kwargs"] and "s3cret" not in one["kwargs"] for one in shown)
    assert told.reply == {"queue": "work", "shown": 2}
    assert after.ready == 3
    odd = json.loads(strange.answer or "")
    assert [one["id"] for one in odd] == [None, None, '{"a": [1]}']
    assert odd[2]["name"] == "x␀y"


def test_rabbitmq_is_not_made_to_show_what_it_would_have_to_hand_out(
    rabbitmq_url: str, start_collector: StartCollector, store_settings: StoreSettings, query: Query
) -> None:
    start_collector(rabbitmq_url)
    eventually(lambda: query("SELECT count(*) FROM collector") == [(1,)])

    told = Asker(store_settings).ended("peek_queue", target={"queue": "work"}, arguments={"limit": 2})

    assert told.reply is not None
    assert (told.status, told.reply["cause"]) == ("failed", "refused")


def sampled(collector: Collector) -> float:
    return collector.metrics.registry.get_sample_value("flower_collector_queue_sample_seconds_count") or 0


def failures(collector: Collector) -> float:
    return collector.metrics.registry.get_sample_value("flower_collector_queue_sample_failures_total") or 0
