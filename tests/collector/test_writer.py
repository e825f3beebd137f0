"""Batches on a real database: kept while it is away, halved around what it refuses."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest
from psycopg import sql
from structlog.testing import capture_logs
from tests.collector.conftest import Query
from tests.collector.proxy import Proxy
from tests.waiting import eventually

from flower_collector import writer
from flower_collector.availability import Availability
from flower_collector.backoff import Backoff
from flower_collector.batcher import Batch
from flower_collector.metrics import Metrics
from flower_collector.receivers.session import Session
from flower_collector.writer import BatchWriter, Totals
from flower_store import factories
from flower_store.events import SetAside
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

TASKS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(1, 9)]
REFUSED = "SELECT reason, encode(body, 'escape') FROM set_aside"


class Setting:
    """A batch writer and everything around it."""

    def __init__(self, settings: StoreSettings) -> None:
        self.database = Availability(lambda: 0.0)
        self.metrics = Metrics()
        self.give_up = threading.Event()
        self.session = Session()
        self.writer = BatchWriter(
            Writer(settings, cluster="default"),
            totals=Totals(),
            database=self.database,
            metrics=self.metrics,
            backoff=Backoff(lambda: 0.1),
            give_up=self.give_up,
        )

    def batch(self, *numbers: int) -> Batch:
        events = [event for number in numbers for event in factories.a_success(TASKS[number])]
        return Batch(tasks=events, receipts={self.session: max(numbers) + 1}, messages=len(events))

    def write(self, batch: Batch) -> "Writing":
        writing = Writing(self.writer, batch)
        writing.start()
        return writing

    def counted(self, metric: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"flower_collector_{metric}", labels)


class Writing(threading.Thread):
    """A write under way."""

    def __init__(self, writer: BatchWriter, batch: Batch) -> None:
        super().__init__(daemon=True)
        self._writer = writer
        self._batch = batch
        self.answer: bool | None = None

    def run(self) -> None:
        self.answer = self._writer.write(self._batch)


@pytest.fixture
def setting(store_settings: StoreSettings) -> Iterator[Setting]:
    setting = Setting(store_settings)
    yield setting
    setting.give_up.set()
    setting.writer.close()


def test_a_batch_is_committed(setting: Setting, query: Query) -> None:
    written = setting.writer.write(setting.batch(0, 1))

    assert written
    assert query("SELECT count(*) FROM task_event") == [(8,)]
    assert setting.writer.totals.stored == 8
    assert setting.counted("batches_total", outcome="written") == 1


def test_a_batch_is_kept_while_the_database_is_away(setting: Setting, query: Query, line: Proxy) -> None:
    setting.writer.write(setting.batch(0))
    line.cut()

    writing = setting.write(setting.batch(1))
    eventually(lambda: (setting.counted("write_failures_total") or 0) >= 3)
    meanwhile = (writing.is_alive(), setting.database.available)
    line.mend()
    writing.join(30)

    assert meanwhile == (True, False)
    assert (writing.answer, setting.database.available) == (True, True)
    assert query("SELECT state, count(*) FROM task GROUP BY 1") == [("SUCCESS", 2)]


def test_an_outage_that_changes_its_face_is_told_again(setting: Setting, database_url: str, line: Proxy) -> None:
    line.cut()

    with capture_logs() as said, psycopg.connect(database_url, autocommit=True) as connection:
        writing = setting.write(setting.batch(0))
        eventually(lambda: (setting.counted("write_failures_total") or 0) > 2)
        admit(connection, 0)
        line.mend()
        eventually(lambda: any("too many connections" in str(one.get("error")) for one in said))
        failures = setting.counted("write_failures_total") or 0
        eventually(lambda: (setting.counted("write_failures_total") or 0) > failures + 2)
        admit(connection, -1)
        writing.join(60)

    assert writing.answer is True
    assert [one["event"] for one in said] == [writer.DATABASE_AWAY, writer.DATABASE_AWAY, writer.DATABASE_AVAILABLE]


def admit(connection: psycopg.Connection, most: int) -> None:
    """Let so many others connect to the database; -1 is any number."""
    name = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(name, most))


def test_a_batch_that_was_given_back_is_no_longer_kept(setting: Setting, line: Proxy) -> None:
    line.cut()
    writing = setting.write(setting.batch(0))
    eventually(lambda: setting.counted("write_failures_total"))

    setting.session.close()
    writing.join(30)

    assert writing.answer is False
    assert setting.counted("batches_total", outcome="given_back") == 1


def test_a_stop_that_has_waited_long_enough_ends_the_waiting(setting: Setting, line: Proxy) -> None:
    line.cut()
    writing = setting.write(setting.batch(0))
    eventually(lambda: setting.counted("write_failures_total"))

    setting.give_up.set()
    writing.join(30)

    assert writing.answer is False


def test_a_batch_written_twice_is_counted_once(setting: Setting, query: Query, line: Proxy) -> None:
    batch = setting.batch(0, 1)
    setting.writer.write(batch)
    before = query("SELECT * FROM rollup_1m ORDER BY type, name_id")

    line.break_lines()
    again = setting.writer.write(batch)

    assert again
    assert query("SELECT count(*) FROM task_event") == [(8,)]
    assert query("SELECT * FROM rollup_1m ORDER BY type, name_id") == before


def test_an_event_that_the_database_refuses_is_set_aside_and_its_neighbours_land(
    setting: Setting, query: Query
) -> None:
    batch = setting.batch(0, 1, 2)
    bad = factories.an_event("received", task_id=TASKS[7], name="nul \0 in it")
    batch.tasks.insert(5, bad)
    batch.workers.append(factories.a_heartbeat())
    batch.aside.append(
        SetAside(
            received_at=datetime(2026, 1, 1, tzinfo=UTC),
            reason="not_json",
            detail="",
            routing_key="",
            content_type="",
            body=b"?",
        )
    )

    written = setting.writer.write(batch)

    refused = query("SELECT reason FROM set_aside ORDER BY id")
    assert written
    assert written
    assert query("SELECT count(*) FROM task_event") == [(12,)]
    assert query("SELECT hostname FROM worker WHERE heartbeat_at IS NOT NULL") == [("celery@a",)]
    assert refused == [("not_json",), ("refused_by_database",)]
    assert setting.counted("events_set_aside_total", reason="refused_by_database") == 1
    assert setting.counted("batches_total", outcome="bisected") == 1


def test_a_value_that_breaks_the_driver_is_set_aside_too(setting: Setting, query: Query) -> None:
    batch = setting.batch(0)
    batch.tasks.append(msgspec.structs.replace(batch.tasks[0], hostname="\ud800", type="task-started"))

    written = setting.writer.write(batch)

    assert written
    assert query("SELECT count(*) FROM task_event") == [(4,)]
    assert query("SELECT reason FROM set_aside") == [("refused_by_database",)]


def test_partitions_are_there_before_the_first_batch(setting: Setting, query: Query) -> None:
    prepared = setting.writer.prepare(lambda: True)

    today = f"task_event_{datetime.now(UTC):%Y%m%d}"
    assert prepared
    assert query("SELECT to_regclass(%s) IS NOT NULL", today) == [(True,)]


def test_the_lag_is_from_the_newest_event_to_its_commit(setting: Setting) -> None:
    setting.writer.write(setting.batch(0))

    expected = datetime.now(UTC) - (factories.NOON + timedelta(seconds=3))
    assert setting.writer.totals.lag is not None
    assert abs(setting.writer.totals.lag - expected) < timedelta(seconds=30)
