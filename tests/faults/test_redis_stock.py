"""T49 and T50: what only the server or only the disk can keep for a collector that reads PUB/SUB of stock Redis."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.collector import proxy
from tests.collector.proxy import Proxy
from tests.collector.publishing import Publisher
from tests.e2e.collecting import CollectorProcess
from tests.faults import trial
from tests.faults.conftest import Query
from tests.faults.trial import Trial
from tests.services.redis_servers import RedisServer, StartRedis
from tests.waiting import eventually

pytestmark = pytest.mark.faults

AWAY = 60.0
LARGE = 10_000
"""Bytes of text of an event: a thousand fill what two kernels keep between server and collector."""
STRICT = "client-output-buffer-limit pubsub 1mb 1mb 0"
SMALL_MEMORY = {"FLOWER_BUFFER_SIZE": "500"}
SPOOLED = "flower_collector_messages_spooled_total"
GAPS = "SELECT reason FROM gap"

StartCollector = Callable[[str], CollectorProcess]


class Numbered:
    """Events of now, one after the other, and their times."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.times: list[datetime] = []

    def publish(self) -> None:
        now = time.time()
        self._publisher.event(len(self.times), timestamp=now, args="x" * LARGE)
        self.times.append(datetime.fromtimestamp(now, UTC))


@pytest.fixture
def strict(start_redis: StartRedis) -> RedisServer:
    return start_redis(STRICT)


@pytest.fixture
def events(strict: RedisServer) -> Iterator[Numbered]:
    with Publisher(strict.url) as publisher:
        yield Numbered(publisher)


@pytest.fixture
def line(database_url: str) -> Iterator[Proxy]:
    line = proxy.to(database_url)
    yield line
    line.close()


@pytest.fixture
def tried(tmp_path: Path, redis_url: str, database_url: str, line: Proxy, seed: int) -> Iterator[Trial]:
    """With room for few messages in memory."""
    url = line.url(database_url)
    with trial.under_load(
        tmp_path, redis_url, url, direct=lambda: database_url, seed=seed, settings=SMALL_MEMORY
    ) as tried:
        yield tried


def test_a_subscriber_that_the_server_cut_off_records_the_whole_gap_and_goes_on(
    strict: RedisServer, events: Numbered, start_collector: StartCollector, query: Query
) -> None:
    """What it reads after it stood still is older than the moment: the gap begins with the first event that is gone."""
    collector = start_collector(strict.url)
    events.publish()
    eventually(lambda: stored(query) == set(events.times))

    collector.pause()
    with strict.client() as client:
        while client.client_list(_type="pubsub"):
            events.publish()
    collector.resume()

    eventually(lambda: query(GAPS) == [("subscription_lost",)])
    eventually(collector.ready)
    events.publish()
    eventually(lambda: events.times[-1] in stored(query))
    lost = set(events.times) - stored(query)
    ((began, ended),) = query("SELECT started_at, ended_at FROM gap")
    assert lost
    assert began <= min(lost)
    assert max(lost) <= ended
    assert query("SELECT reason FROM set_aside") == []


def test_a_minute_without_the_database_goes_by_the_disk_and_nothing_is_lost(tried: Trial, line: Proxy) -> None:
    line.cut()
    tried.is_away()
    tried.lives_through(AWAY)
    spooled = trial.metric(tried.process, SPOOLED)
    line.mend()

    tried.goes_on()
    tried.all_is_there_once()
    assert spooled > 0
    assert tried.query(GAPS) == []


def stored(query: Query) -> set[datetime]:
    return {at for (at,) in query("SELECT at FROM task_event")}
