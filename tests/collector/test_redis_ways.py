"""Redis, each way that Celery knows to reach it, with real workers: events, probes, answers to control."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.collector.conftest import Query
from tests.services import celery_app, certificates
from tests.services.redis_servers import MASTER, RedisServer, Sentinels, StartRedis
from tests.services.workers import StartWorker
from tests.waiting import eventually

from flower_collector.service import Collector

pytestmark = pytest.mark.slow

StartCollector = Callable[..., Collector]
PROBING = {"probe_interval": timedelta(milliseconds=200)}
SOLO = ("--pool", "solo", "--without-gossip", "--without-mingle")
HEARD = "SELECT hostname FROM worker WHERE heartbeat_at IS NOT NULL AND alive_until > now()"
ANSWERED = "SELECT count(DISTINCT method) FROM worker_reply"
SUCCEEDED = "SELECT count(*) FROM task WHERE state = 'SUCCESS'"
GAPS = "SELECT reason FROM gap ORDER BY id"
FINDINGS = "SELECT f->>'kind' FROM collector, jsonb_array_elements(findings) f"


class Way:
    """A broker, and the options by which its users reach it."""

    def __init__(self, url: str, **options: object) -> None:
        self.url = url
        self.settings: dict[str, object] = {"broker_transport_options": options} if options else {}
        self.options = json.dumps(options) if options else ""

    def send(self, number: int) -> None:
        """Tasks, as a client sends them: with an event of its own."""
        client = celery_app.client(self.url, settings=self.settings)
        with client.connection_for_write() as connection:
            producer = client.amqp.Producer(connection, auto_declare=False)
            for _ in range(number):
                client.send_task("tests.add", (2, 3), producer=producer)


@pytest.fixture
def everything_flows(
    start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> Callable[[Way], Collector]:
    """Start both; whatever a collector is for comes by this way."""

    def flow(way: Way) -> Collector:
        collector = start_collector(way.url, broker_transport_options=way.options, **PROBING)
        worker = start_worker(way.url, options=SOLO, settings=way.settings)
        way.send(3)
        eventually(lambda: query(SUCCEEDED) == [(3,)])
        eventually(lambda: query(HEARD) == [(worker.hostname,)])
        eventually(lambda: query(ANSWERED) == [(4,)])
        eventually(lambda: echoes(collector) >= 2)
        assert query(GAPS) == []
        assert query(FINDINGS) == []
        return collector

    return flow


Flows = Callable[[Way], Collector]


@pytest.mark.parametrize(
    ("database", "options"),
    [
        (7, {"global_keyprefix": "shop-"}),
        (0, {"fanout_prefix": False}),
        (3, {"fanout_prefix": "/x{db}.", "fanout_patterns": False}),
    ],
    ids=str,
)
def test_workers_with_the_same_options_are_heard_and_answer(
    database: int, options: dict[str, object], redis_url: str, everything_flows: Flows
) -> None:
    everything_flows(Way(redis_url.removesuffix("/0") + f"/{database}", **options))


def test_a_user_with_a_password_and_a_unix_socket_will_do(start_redis: StartRedis, everything_flows: Flows) -> None:
    server = start_redis(
        "user default off", "user celery on >s3:cret ~* &* +@all", username="celery", password="s3:cret"
    )

    everything_flows(Way(f"redis+socket://celery:s3%3Acret@{server.socket}?virtual_host=2"))


def test_a_password_alone_will_do(start_redis: StartRedis, start_collector: StartCollector) -> None:
    server = start_redis("requirepass s3cret", password="s3cret")

    collector = start_collector(f"redis://:s3cret@127.0.0.1:{server.port}/0", **PROBING)

    eventually(lambda: echoes(collector) >= 2)


@pytest.fixture
def tls(start_redis: StartRedis, tmp_path: Path) -> tuple[RedisServer, certificates.Certificates]:
    files = certificates.made(tmp_path)
    lines = (f"tls-cert-file {files.certificate}", f"tls-key-file {files.key}", f"tls-ca-cert-file {files.authority}")
    server = start_redis(*lines, "tls-auth-clients no", tls=True)
    return server, files


def test_tls_with_a_certificate_that_is_verified_will_do(
    tls: tuple[RedisServer, certificates.Certificates], everything_flows: Flows
) -> None:
    server, files = tls

    everything_flows(Way(f"rediss://127.0.0.1:{server.port}/0?ssl_cert_reqs=required&ssl_ca_certs={files.authority}"))


def test_tls_may_be_told_by_the_application_s_broker_use_ssl(
    tls: tuple[RedisServer, certificates.Certificates],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start_collector: StartCollector,
) -> None:
    server, files = tls
    (tmp_path / "secure_shop.py").write_text(
        f"from celery import Celery\napp = Celery('shop', broker='redis://127.0.0.1:{server.port}/0', "
        f"set_as_current=False)\napp.conf.broker_use_ssl = {{'ssl_ca_certs': {str(files.authority)!r}}}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    collector = start_collector("", app="secure_shop", **PROBING)

    eventually(lambda: echoes(collector) >= 2)


def test_a_server_whose_certificate_nobody_vouches_for_is_refused(
    tls: tuple[RedisServer, certificates.Certificates], launch_collector: StartCollector
) -> None:
    server, _ = tls
    collector = launch_collector(f"rediss://127.0.0.1:{server.port}/0?ssl_cert_reqs=required")

    eventually(lambda: metric(collector, "flower_collector_reconnects_total") >= 2)

    assert collector.readiness()["broker"] is False


def test_a_failover_by_sentinels_is_a_gap_and_events_flow_again(
    start_redis: StartRedis,
    start_sentinels: Callable[[RedisServer], Sentinels],
    everything_flows: Flows,
    query: Query,
) -> None:
    master = start_redis()
    replica = start_redis(f"replicaof 127.0.0.1 {master.port}")
    sentinels = start_sentinels(master)
    way = Way(sentinels.url, master_name=MASTER)
    collector = everything_flows(way)
    probed = echoes(collector)

    master.kill()

    eventually(lambda: sentinels.master_port() == replica.port)
    eventually(lambda: query(GAPS) == [("subscription_lost",)])
    eventually(lambda: echoes(collector) >= probed + 2)
    way.send(2)
    eventually(lambda: query(SUCCEEDED) == [(5,)])
    assert collector.ready()


def echoes(collector: Collector) -> float:
    return metric(collector, "flower_collector_probe_seconds_count")


def metric(collector: Collector, name: str, **labels: str) -> float:
    return collector.metrics.registry.get_sample_value(name, labels) or 0
