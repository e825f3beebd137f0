"""The leader's retention chore, turn by turn, on a real database and a clock of our own."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from flower_collector import retaining
from flower_collector.metrics import Metrics
from flower_collector.retaining import Retaining
from flower_store import retention, writes
from flower_store.factories import NOON, an_event
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import StoreSettings


class Clock:
    """Passes so many seconds between two looks."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.pace = 0.0

    def __call__(self) -> float:
        self.seconds += self.pace
        return self.seconds


@pytest.fixture
def store(database_url: str) -> Iterator[writes.Writer]:
    writer = writes.Writer(StoreSettings(database_url=database_url), cluster="default")
    events = range(2 * retention.BATCH)
    writer.write([an_event("succeeded", number / 10, task_id=str(UUID(int=number))) for number in events])
    yield writer
    writer.close()


def left(database_url: str) -> object:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM task").fetchone()
    return row and row[0]


def chore(clock: Clock, metrics: Metrics) -> Retaining:
    def late() -> datetime:
        return NOON + timedelta(days=40)

    return Retaining(RetentionSettings(), metrics, clock=clock, now=late, wait=lambda _, seconds: seconds)


def test_a_sweep_goes_on_from_turn_to_turn_and_begins_anew_after_its_time(
    store: writes.Writer, database_url: str
) -> None:
    clock, metrics = Clock(), Metrics()
    work = chore(clock, metrics)
    clock.pace = retaining.TURN.total_seconds() / 2  # so that one step fills a turn

    found: list[object] = []
    for _ in range(4):
        work.work(store, threading.Event())
        found.append(left(database_url))
    clock.pace = 0
    work.work(store, threading.Event())
    deleted = metrics.registry.get_sample_value("flower_collector_rows_deleted_total", {"kind": "tasks"})
    store.write([an_event("succeeded", task_id=str(UUID(int=1)))])
    work.work(store, threading.Event())
    too_early = left(database_url)
    clock.seconds += retaining.SWEEP_EVERY.total_seconds()
    work.work(store, threading.Event())

    assert found == [2 * retention.BATCH, 2 * retention.BATCH, retention.BATCH, 0]  # the events went first
    assert deleted == 2 * retention.BATCH
    assert (too_early, left(database_url)) == (1, 0)


def test_a_stop_ends_a_turn_between_two_steps(store: writes.Writer, database_url: str) -> None:
    stopping = threading.Event()
    stopping.set()

    chore(Clock(), Metrics()).work(store, stopping)

    assert left(database_url) == 2 * retention.BATCH
