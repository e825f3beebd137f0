"""T16 and T17: more events than can be stored, and larger ones than anybody should send."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.collector import proxy
from tests.collector.messages import fields
from tests.collector.proxy import Proxy
from tests.collector.publishing import TASKS, Publisher
from tests.e2e.collecting import CollectorProcess
from tests.faults import trial, vitals
from tests.faults.conftest import Query
from tests.faults.load import Load
from tests.faults.vitals import Vitals
from tests.waiting import eventually

from flower_collector import gate

pytestmark = pytest.mark.faults

log = logging.getLogger(__name__)

QUEUE = "flower.default"
FLOOD = 40_000
QUIET = 1.0
"""Seconds in which a collector that reads nothing more would have read on."""
PATIENCE = 240.0
LARGE = 200_000
LARGE_ONES = 1_000
HUGE = 15_000_000
HUGE_ONES = 10
STORED = "SELECT count(*) FROM task_event"

StartCollector = Callable[[str], CollectorProcess]


@pytest.fixture
def collector(start_collector: StartCollector, rabbitmq_url: str) -> CollectorProcess:
    return start_collector(rabbitmq_url)


@pytest.fixture
def publisher(rabbitmq_url: str) -> Iterator[Publisher]:
    with Publisher(rabbitmq_url) as publisher:
        yield publisher


@pytest.fixture
def watched(collector: CollectorProcess) -> Iterator[Vitals]:
    with Vitals(lambda: [collector.pid]) as watched:
        yield watched


@pytest.fixture
def stalling(tmp_path: Path, rabbitmq_url: str, database_url: str) -> Iterator[tuple[CollectorProcess, Proxy]]:
    """A collector whose queue is there, not running, and its line to the database."""
    line = proxy.to(database_url)
    collector = CollectorProcess(tmp_path, broker_url=rabbitmq_url, database_url=line.url(database_url))
    collector.start()
    collector.stop()
    yield collector, line
    collector.kill()
    line.close()


def test_a_flood_waits_in_the_broker_and_not_in_memory(
    *,
    tmp_path: Path,
    rabbitmq_url: str,
    stalling: tuple[CollectorProcess, Proxy],
    publisher: Publisher,
    query: Query,
    seed: int,
) -> None:
    """As fast as the broker takes events. The collector comes to a heap, and then the database takes nothing more."""
    collector, line = stalling
    load = Load(tmp_path, rabbitmq_url, seed=seed, rate=0)
    load.start()
    eventually(lambda: load.confirmed() >= FLOOD, within=PATIENCE)
    backlog = publisher.waiting(QUEUE)
    collector.start()
    with Vitals(lambda: [collector.pid]) as watched:
        line.stall()
        read_enough(collector)
        load.stop()
        line.heal()
        confirmed = load.published().confirmed
        eventually(lambda: publisher.waiting(QUEUE) == 0 and stored(query) >= len(confirmed), within=PATIENCE)

    log.info("%d events, %d messages waited; %s", len(confirmed), backlog, watched)
    assert backlog >= FLOOD
    assert confirmed <= {at for (at,) in query("SELECT at FROM task_event")}
    assert watched.resident < vitals.MOST_RESIDENT, str(watched)
    assert collector.running


@pytest.mark.parametrize(
    ("number", "size", "told"),
    [(LARGE_ONES, LARGE, []), (HUGE_ONES, HUGE, [("text_cut", HUGE_ONES)])],
    ids=["200 kB", "15 MB"],
)
def test_large_events_are_stored_within_a_bound_of_memory(
    *,
    collector: CollectorProcess,
    watched: Vitals,
    publisher: Publisher,
    query: Query,
    number: int,
    size: int,
    told: list[tuple[str, int]],
) -> None:
    for one in range(number):
        publisher.event(one, args="x" * size)

    eventually(lambda: stored(query) == number, within=PATIENCE)
    eventually(lambda: publisher.waiting(QUEUE) == 0)
    log.info("%d of %d bytes: %s", number, size, watched)
    assert query("SELECT reason, count(*) FROM set_aside GROUP BY 1") == told
    assert watched.resident < vitals.MOST_RESIDENT, str(watched)
    assert collector.running


@pytest.mark.usefixtures("collector")
def test_an_event_over_the_largest_is_set_aside_and_the_next_one_lands(publisher: Publisher, query: Query) -> None:
    too_large = json.dumps(fields(uuid=TASKS[0], args="x" * gate.MAX_BODY)).encode()
    publisher.publish(too_large)
    publisher.event(1)

    eventually(lambda: stored(query) == 1)
    assert query("SELECT reason FROM set_aside") == [("too_large",)]


def read_enough(collector: CollectorProcess) -> None:
    """Wait until it reads no further message."""
    before = -1.0
    while (now := trial.metric(collector, "flower_collector_messages_received_total")) != before:
        before = now
        time.sleep(QUIET)


def stored(query: Query) -> int:
    return int(query(STORED)[0][0])
