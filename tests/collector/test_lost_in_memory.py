"""Redis: what was received and not committed is lost with the process, and the gap says from when on.

The database is slow, not away, in these tests: a locked table keeps batches waiting while beats go on.
"""

import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from tests.collector.conftest import Query
from tests.collector.proxy import Proxy
from tests.collector.publishing import Publisher
from tests.waiting import eventually

from flower_collector.service import Collector

pytestmark = pytest.mark.slow

StartCollector = Callable[..., Collector]
Launch = Callable[[], "subprocess.Popen[bytes]"]
Locked = Callable[[], AbstractContextManager[None]]
STORED = "SELECT count(*) FROM task_event"
GAPS = "SELECT reason, started_at, ended_at, count, at_least FROM gap ORDER BY id"
COMMITTED = "SELECT committed_at FROM collector WHERE committed_at > %s"
NO_SPOOL: dict[str, Any] = {"spool_max_bytes": 0, "stop_timeout": timedelta(seconds=1)}


@pytest.fixture
def locked(database_url: str) -> Locked:
    """No batch is committed while it is entered; everything else is."""

    @contextmanager
    def lock() -> Generator[None]:
        with psycopg.connect(database_url) as connection:
            connection.execute("LOCK TABLE task IN ACCESS EXCLUSIVE MODE")
            yield

    return lock


@pytest.fixture
def launch(database_url: str, redis_url: str) -> Iterator[Launch]:
    """Start a collector in a process of its own, to be killed."""
    running: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [
                sys.executable, "-m", "flower_cli.main", "collector", "--broker", redis_url,
                "--database-url", database_url, "--collector-port", "0", "--probe-interval", "0",
                "--inspect-interval", "0", "--queue-interval", "0", "--spool-max-bytes", "0",
            ]
        )  # fmt: skip
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def publisher(redis_url: str) -> Iterator[Publisher]:
    with Publisher(redis_url) as publisher:
        yield publisher


def await_beats(query: Query, at: datetime, *, number: int) -> None:
    """Wait for so many beats after this time."""
    for _ in range(number):
        at = _beat_after(query, at)


def _beat_after(query: Query, at: datetime) -> datetime:
    beats = eventually(lambda: query("SELECT beat_at FROM collector WHERE beat_at > %s", at))
    beaten_at: datetime = beats[0][0]
    return beaten_at


def test_what_a_killed_collector_had_in_memory_is_in_the_gap(  # noqa: PLR0917 - fixtures
    launch: Launch, redis_url: str, start_collector: StartCollector, publisher: Publisher, locked: Locked, query: Query
) -> None:
    killed = launch()
    begun_at = datetime.now(UTC)
    eventually(lambda: query(COMMITTED, begun_at))

    with locked():
        sent_at = datetime.now(UTC)
        publisher.events(*range(200))
        await_beats(query, sent_at, number=2)
        killed.kill()
        killed.wait()
    start_collector(redis_url)

    eventually(lambda: query(GAPS))
    [(reason, started_at, ended_at, _, _)] = query(GAPS)
    assert (query(STORED), reason) == ([(0,)], "collector_away")
    assert begun_at < started_at <= sent_at < ended_at


def test_a_stop_that_gives_up_records_what_it_discards(
    redis_url: str, start_collector: StartCollector, publisher: Publisher, locked: Locked, query: Query
) -> None:
    collector = start_collector(redis_url, **NO_SPOOL)
    begun_at = datetime.now(UTC)
    eventually(lambda: query(COMMITTED, begun_at))

    with locked():
        sent_at = datetime.now(UTC)
        publisher.events(*range(200))
        collector.stop()
        [(reason, started_at, ended_at, count, at_least)] = query(GAPS)
        committed_at = query("SELECT committed_at FROM collector")[0][0]

    assert (reason, count, at_least) == ("not_written", 200, True)
    assert begun_at < started_at <= sent_at < ended_at
    assert committed_at > sent_at  # it is told, and not for the next start to tell again


def test_a_stop_that_gives_up_without_a_database_leaves_its_loss_to_the_next_start(  # noqa: PLR0917 - fixtures
    redis_url: str, start_collector: StartCollector, publisher: Publisher, locked: Locked, query: Query, line: Proxy
) -> None:
    collector = start_collector(redis_url, **NO_SPOOL)
    begun_at = datetime.now(UTC)
    eventually(lambda: query(COMMITTED, begun_at))

    with locked():
        sent_at = datetime.now(UTC)
        publisher.events(*range(200))
        await_beats(query, sent_at, number=2)
        line.cut()
        collector.stop()
    line.mend()
    start_collector(redis_url)

    eventually(lambda: query(GAPS))
    [(reason, started_at, ended_at, _, _)] = query(GAPS)
    assert (query(STORED), reason) == ([(0,)], "collector_away")
    assert begun_at < started_at <= sent_at < ended_at
