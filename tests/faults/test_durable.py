"""T51, T53, T54: the durable mode on Redis under kills of collectors and of Redis, and with a stream that is gone."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from tests.collector.appending import Application
from tests.e2e.collecting import CollectorProcess
from tests.faults.conftest import Query
from tests.services import programs
from tests.store import recount
from tests.waiting import eventually

from flower_cli.embedded import errors
from flower_cli.embedded.broker import Broker

log = logging.getLogger(__name__)

KEY, GROUP = "flower.celeryev", "flower.default"
STORED = "SELECT count(*) FROM task_event"
GAPS = "SELECT reason FROM gap WHERE reason LIKE 'stream%'"
WITHIN = 120.0
StartCollector = Callable[[str], CollectorProcess]


class Redis(Broker):
    """A Redis that can be killed, and starts again on its port with what it kept."""

    def __init__(self, directory: Path, *, settings: tuple[str, ...]) -> None:
        super().__init__(directory, server=programs.find("redis-server"))
        self._additions = settings
        self._port: int | None = None

    def kill(self) -> None:
        """As `kill -9` does."""
        assert self._process is not None
        self._process.kill()
        self.stop()

    def _serve(self, launch: Callable[[int], None]) -> int:
        if self._port is None:
            self._port = super()._serve(launch)
        else:
            launch(self._port)
        return self._port

    def _settings(self, port: int) -> str:
        return "\n".join([super()._settings(port), *self._additions, ""])


class Load(threading.Thread):
    """An application that sends an event of each of so many tasks, some of them together."""

    def __init__(self, url: str, number: int, *, rate: float) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._number = number
        self._pause = 1 / rate
        self.sent = 0
        self.dropped = 0

    def run(self) -> None:
        with Application(self._url) as application:
            for number in range(self._number):
                application.buffer(number)
                if number % 3 == 0:
                    application.dispatcher.flush()
                    time.sleep(3 * self._pause)
                self.sent = number + 1
            # What could not be sent waits in the dispatcher until a flush reaches the broker.
            eventually(lambda: self._is_out(application), within=WITHIN)
            self.dropped = application.stream.dropped

    def _is_out(self, application: Application) -> bool:
        application.dispatcher.flush()
        return not application.dispatcher._outbound_buffer


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Iterator[StartCollector]:
    """Start a collector of the durable mode alone: a subscription beside it would hide what the stream loses."""
    running: list[CollectorProcess] = []

    def start(broker_url: str) -> CollectorProcess:
        name = f"collector-{len(running)}"
        process = CollectorProcess(
            tmp_path, broker_url=broker_url, database_url=database_url, name=name,
            settings={"FLOWER_REDIS_MODE": "stream"},
        )  # fmt: skip
        running.append(process)
        process.start()
        return process

    yield start
    for process in running:
        process.kill()


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Redis]:
    home = tmp_path / "redis"
    home.mkdir()
    server = Redis(home, settings=request.param)
    yield server
    server.stop()


@pytest.mark.slow
def test_two_kills_lose_and_double_nothing(
    redis_url: str, start: StartCollector, query: Query, chance: random.Random, database_url: str
) -> None:
    collectors_are_killed(redis_url, start, query, chance, kills=2, events=1_500)
    assert not recounted(database_url)


@pytest.mark.faults
def test_eight_kills_lose_and_double_nothing(
    redis_url: str, start: StartCollector, query: Query, chance: random.Random, database_url: str
) -> None:
    collectors_are_killed(redis_url, start, query, chance, kills=8, events=20_000)
    assert not recounted(database_url)


def collectors_are_killed(
    url: str, start: StartCollector, query: Query, chance: random.Random, *, kills: int, events: int
) -> None:
    collectors = [start(url), start(url)]
    client: Any = redis.Redis.from_url(url)
    load = Load(url, events, rate=events / (2.0 * kills))
    load.start()
    for kill in range(kills):
        eventually(lambda due=events * kill // (kills + 1): load.sent > due, within=WITHIN)  # type: ignore[misc]
        victim = chance.choice(collectors)
        pid = victim.pid
        victim.kill()
        killed_at, held = time.monotonic(), held_by(client, pid)
        eventually(lambda pid=pid: held_by(client, pid) == 0)  # type: ignore[misc]
        log.info("kill %d: %d entries taken over after %.1f s", kill + 1, held, time.monotonic() - killed_at)
        victim.start()
    load.join(WITHIN)

    eventually(lambda: query(STORED) == [(events,)], within=WITHIN)
    eventually(lambda: client.xpending(KEY, GROUP)["pending"] == 0)
    assert client.xinfo_groups(KEY)[0]["entries-read"] == client.xinfo_stream(KEY)["entries-added"]
    assert query(GAPS) == []
    client.close()


def held_by(client: Any, pid: int) -> int:
    """Entries that the collector of this process has read and not acknowledged."""
    consumers = client.xinfo_consumers(KEY, GROUP)
    return sum(one["pending"] for one in consumers if f"-{pid}-".encode() in one["name"])


@pytest.mark.faults
@pytest.mark.parametrize("server", [("appendonly yes", "appendfsync everysec")], indirect=True)
def test_a_redis_with_a_log_that_is_killed_loses_nothing(
    server: Redis, start: StartCollector, query: Query, database_url: str
) -> None:
    load = redis_is_killed(server, start)

    eventually(lambda: query(STORED) == [(3_000,)], within=WITHIN)
    assert load.dropped == 0
    assert query(GAPS) == []
    assert not recounted(database_url)


@pytest.mark.faults
@pytest.mark.parametrize("server", [()], indirect=True)
def test_a_redis_without_a_log_that_is_killed_is_a_gap_and_events_flow_again(
    server: Redis, start: StartCollector, query: Query, database_url: str
) -> None:
    redis_is_killed(server, start)

    eventually(lambda: query(GAPS), within=WITHIN)
    assert set(query(GAPS)) == {("stream_lost",)}
    # The last task was sent long after the last kill.
    eventually(lambda: query("SELECT 1 FROM task WHERE key = '00000000-0000-0000-0000-000000000bb8'"), within=WITHIN)
    assert not recounted(database_url)


def redis_is_killed(server: Redis, start: StartCollector) -> Load:
    try:
        url = server.start()
    except errors.NotFound:
        programs.missing("Redis")
    collector = start(url)
    load = Load(url, 3_000, rate=200)
    load.start()
    for due in (600, 1_500):
        eventually(lambda due=due: load.sent > due, within=WITHIN)  # type: ignore[misc]
        server.kill()
        server.start()
        eventually(collector.ready, within=WITHIN)
    load.join(WITHIN)
    return load


@pytest.mark.faults
def test_a_redis_that_is_emptied_under_load_is_a_gap_and_events_flow_again(
    redis_url: str, start: StartCollector, query: Query, database_url: str
) -> None:
    collectors = [start(redis_url), start(redis_url)]
    client: Any = redis.Redis.from_url(redis_url)
    load = Load(redis_url, 3_000, rate=300)
    load.start()
    for number, due in enumerate((600, 1_500), start=1):
        eventually(lambda due=due: load.sent > due, within=WITHIN)  # type: ignore[misc]
        client.flushall()
        emptied_at = time.monotonic()
        eventually(lambda: client.exists(KEY) and client.xinfo_groups(KEY))
        log.info("made again after %.1f s", time.monotonic() - emptied_at)
        eventually(lambda seen=number: len(query(GAPS)) == seen)  # type: ignore[misc]
    load.join(WITHIN)

    eventually(lambda: query("SELECT 1 FROM task WHERE key = '00000000-0000-0000-0000-000000000bb8'"), within=WITHIN)
    assert set(query(GAPS)) == {("stream_lost",)}
    assert all(one.ready() for one in collectors)
    assert not recounted(database_url)
    client.close()


def recounted(database_url: str) -> list[str]:
    """Counts that are not what the log says."""
    with psycopg.connect(database_url) as connection:
        return list(recount.differences(connection))
