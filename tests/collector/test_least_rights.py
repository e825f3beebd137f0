"""T39: on RabbitMQ the collector works with the rights that docs/rabbitmq.md lists, and no more."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from tests.collector.conftest import Query
from tests.collector.publishing import Publisher
from tests.services.rabbitmq import RabbitMQ
from tests.services.workers import StartWorker
from tests.waiting import eventually

from flower_collector import promise
from flower_collector.service import Collector

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs" / "rabbitmq.md"
USER = "flower-least"


@pytest.fixture
def least_url(rabbitmq: RabbitMQ, rabbitmq_url: str) -> Iterator[str]:
    """The URL of a user who has the documented rights alone."""
    vhost = quote(urlsplit(rabbitmq_url).path[1:], safe="")
    rabbitmq.request("PUT", f"/users/{USER}", {"password": USER, "tags": ""})
    rabbitmq.request("PUT", f"/permissions/{vhost}/{USER}", dict(documented()))
    parts = urlsplit(rabbitmq_url)
    yield urlunsplit(parts._replace(netloc=f"{USER}:{USER}@{parts.hostname}:{parts.port}"))
    rabbitmq.request("DELETE", f"/users/{USER}")


def documented() -> dict[str, object]:
    return dict(re.findall(r"^- (configure|write|read): `(.+)`$", DOCUMENT.read_text(), re.MULTILINE))


def test_a_user_with_the_documented_rights_collects_probes_and_inspects(
    *,
    rabbitmq_url: str,
    least_url: str,
    start_collector: Callable[..., Collector],
    start_worker: StartWorker,
    query: Query,
) -> None:
    start_worker(rabbitmq_url)
    collector = start_collector(
        least_url, probe_interval=timedelta(seconds=1), queue_interval=timedelta(milliseconds=200)
    )

    with Publisher(rabbitmq_url) as publisher:
        publisher.events(*range(20))
        eventually(lambda: query("SELECT count(*) FROM task") == [(20,)])
    eventually(lambda: query("SELECT promise FROM collector") == [(promise.QUORUM_QUEUE,)])
    eventually(lambda: query("SELECT 1 FROM worker_reply WHERE method = 'stats'"))
    eventually(lambda: query("SELECT s.consumers FROM queue_sample s JOIN queue q ON q.id = s.queue_id") == [(1,)])
    eventually(lambda: probes(collector) > 0)
    assert collector.ready()


def test_a_user_with_the_documented_rights_counts_what_the_broker_drops(
    rabbitmq_url: str, least_url: str, start_collector: Callable[..., Collector], query: Query
) -> None:
    start_collector(least_url, queue_max_length=5).stop()
    with Publisher(rabbitmq_url) as publisher:
        publisher.events(*range(20))

    start_collector(least_url, queue_max_length=5)

    eventually(lambda: query("SELECT sum(count)::int FROM gap") == [(15,)])


def probes(collector: Collector) -> float:
    return collector.metrics.registry.get_sample_value("flower_collector_probe_seconds_count") or 0
