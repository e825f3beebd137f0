"""T28 to T30: what PostgreSQL and its line do under load; nothing lost, doubled or set aside."""

import random
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from tests.collector.conftest import launch_collector, line, start_collector, store_settings
from tests.collector.proxy import Proxy
from tests.collector.publishing import Publisher
from tests.faults.conftest import Query
from tests.store import recount
from tests.waiting import eventually

from flower_collector.service import Collector

pytestmark = pytest.mark.faults
__all__ = ["launch_collector", "line", "start_collector", "store_settings"]

StartCollector = Callable[..., Collector]
EVENTS = 10_000
PAUSE = 0.3


class Load(threading.Thread):
    """Publishes an event each of `EVENTS` tasks."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url

    def run(self) -> None:
        # With receipts: RabbitMQ may forget the last messages of a connection that is closed at once without them.
        with Publisher(self._url, confirm_publish=True) as publisher:
            publisher.events(*range(EVENTS))


class Scene:
    """A collector of RabbitMQ under load, and the way to see that all of it arrived."""

    def __init__(self, collector: Collector, load: Load, query: Query, database_url: str) -> None:
        self._query = query
        self.database_url = database_url
        self.collector = collector
        self.load = load

    def failures(self) -> float:
        return self.collector.metrics.registry.get_sample_value("flower_collector_write_failures_total") or 0

    def stored(self) -> int:
        return int(self._query("SELECT count(*) FROM task_event")[0][0])

    def all_is_there_once(self) -> None:
        self.load.join(120)
        eventually(lambda: self.stored() >= EVENTS, within=120)
        eventually(self.collector.ready)
        self.collector.stop()
        with psycopg.connect(self.database_url) as connection:
            assert not list(recount.differences(connection))
        assert self._query("SELECT count(*) FROM task") == [(EVENTS,)]
        assert self.stored() == EVENTS
        assert self._query("SELECT reason FROM set_aside") == []


@pytest.fixture
def scene(rabbitmq_url: str, start_collector: StartCollector, query: Query, database_url: str) -> Iterator[Scene]:
    collector = start_collector(rabbitmq_url, batch_size=200)
    load = Load(rabbitmq_url)
    load.start()
    scene = Scene(collector, load, query, database_url)
    eventually(lambda: scene.stored() > 0)
    yield scene
    load.join(120)


def test_an_answer_to_commit_that_is_lost_doubles_nothing(scene: Scene, line: Proxy, chance: random.Random) -> None:
    broken = 0

    def breaks(data: bytes) -> bool:
        nonlocal broken
        cut = b"COMMIT" in data and chance.random() < 0.1
        broken += cut
        return cut

    line.breaks = breaks

    scene.load.join(120)
    eventually(lambda: scene.stored() >= EVENTS, within=120)
    line.breaks = lambda _: False
    scene.all_is_there_once()
    assert broken > 0


def test_a_line_that_is_cut_in_the_middle_of_a_copy_leaves_no_half_batch(scene: Scene, line: Proxy) -> None:
    passed = cuts = 0

    def breaks(data: bytes) -> bool:
        nonlocal passed, cuts
        passed += len(data)
        if passed < 50_000 or cuts >= 20:
            return False
        passed, cuts = 0, cuts + 1
        return True

    line.breaks = breaks

    eventually(lambda: cuts >= 20, within=120)
    scene.all_is_there_once()


def test_backends_that_are_ended_again_and_again_lose_nothing(scene: Scene, query: Query) -> None:
    pause = threading.Event()
    ended = 0
    for _ in range(35):
        ended += len(
            query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        pause.wait(PAUSE)

    scene.all_is_there_once()
    assert ended >= 35
