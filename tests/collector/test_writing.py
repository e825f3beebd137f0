"""Two writing threads on a real database: neither waits for the other, and receipts keep the order of the stream."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from tests.collector.conftest import Query
from tests.waiting import eventually

from flower_collector.availability import Availability
from flower_collector.backoff import Backoff
from flower_collector.batcher import Batch
from flower_collector.handover import Handover
from flower_collector.metrics import Metrics
from flower_collector.receivers.session import Session
from flower_collector.writer import BatchWriter, Totals
from flower_collector.writing import Writing
from flower_store import errors, factories
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

FIRST, SECOND, THIRD = (f"00000000-0000-4000-8000-{number:012d}" for number in range(1, 4))
WAITING = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
DONE = "SELECT count(*) FROM task WHERE state = 'SUCCESS'"


class Pair:
    """Two threads and what they share."""

    def __init__(self, settings: StoreSettings) -> None:
        self.handover = Handover()
        self.session = Session()
        self.give_up = threading.Event()
        self.failures: list[errors.StoreError] = []
        totals, database, metrics = Totals(), Availability(lambda: 0.0), Metrics()
        self.threads = [
            Writing(
                self.handover,
                BatchWriter(
                    Writer(settings, cluster="default"),
                    totals=totals,
                    database=database,
                    metrics=metrics,
                    backoff=Backoff(lambda: 0.1),
                    give_up=self.give_up,
                ),
                name=f"writer-{number}",
                stopping=lambda: False,
                failed=self.failures.append,
            )
            for number in (1, 2)
        ]
        self.totals = totals

    def give(self, task_id: str, tag: int) -> None:
        events = factories.a_success(task_id)
        assert self.handover.give(Batch(tasks=events, receipts={self.session: tag}, messages=len(events)))

    def end(self) -> None:
        self.handover.close()
        self.give_up.set()
        for thread in self.threads:
            thread.join(30)


@pytest.fixture
def pair(store_settings: StoreSettings) -> Iterator[Pair]:
    pair = Pair(store_settings)
    for thread in pair.threads:
        thread.start()
    yield pair
    pair.end()
    assert not [thread for thread in pair.threads if thread.is_alive()]
    assert not pair.failures


def test_a_batch_that_waits_for_a_row_holds_back_receipts_but_not_the_batches_behind_it(
    pair: Pair, query: Query, database_url: str
) -> None:
    pair.give(FIRST, 4)
    eventually(lambda: query(DONE) == [(1,)])

    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM task FOR UPDATE")
        pair.give(FIRST, 8)
        eventually(lambda: query(f"SELECT count(*) {WAITING}") == [(1,)])
        pair.give(SECOND, 12)
        pair.give(THIRD, 16)
        eventually(lambda: query(DONE) == [(3,)])
        meanwhile = pair.session.due()

    assert meanwhile == 4
    eventually(lambda: pair.session.due() == 16)
    assert query("SELECT count(*) FROM task_event") == [(12,)]
    assert pair.totals.stored == 12


def test_what_is_given_up_holds_back_the_receipts_behind_it(pair: Pair, query: Query, database_url: str) -> None:
    pair.give(FIRST, 4)
    eventually(lambda: pair.session.due() == 4)

    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM task FOR UPDATE")
        pair.give(FIRST, 8)
        eventually(lambda: query(f"SELECT count(*) {WAITING}") == [(1,)])
        pair.give(SECOND, 12)
        eventually(lambda: query(DONE) == [(2,)])
        pair.give_up.set()
        query(f"SELECT pg_terminate_backend(pid) {WAITING}")
        eventually(lambda: not all(thread.is_alive() for thread in pair.threads))
        meanwhile = pair.session.due()

    assert meanwhile is None
