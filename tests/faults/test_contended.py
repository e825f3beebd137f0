"""T31 and its neighbours: others hold what the collector needs. It waits or is the victim, and loses nothing."""

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.collector import proxy
from tests.e2e.collecting import CollectorProcess
from tests.faults import trial
from tests.faults.nemesis import TERMINATE
from tests.faults.trial import Trial
from tests.services import pgbouncer
from tests.waiting import eventually

pytestmark = pytest.mark.slow

FAILURES = "flower_collector_write_failures_total"
TryIt = Callable[..., Trial]

SLOW_MERGE = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
CREATE TRIGGER slow BEFORE INSERT ON task EXECUTE FUNCTION slow()
"""
UNFINISHED = "SELECT key FROM task ORDER BY last_at DESC LIMIT 200"
WAITING = """
SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'flower' AND wait_event_type = 'Lock'
"""


@pytest.fixture
def try_it(tmp_path: Path, rabbitmq_url: str, database_url: str, seed: int) -> Iterator[TryIt]:
    """Begin a trial, perhaps by another URL of the database, with further settings of the collector."""
    with contextlib.ExitStack() as stack:

        def begin(url: str = database_url, **settings: str) -> Trial:
            return stack.enter_context(
                trial.under_load(tmp_path, rabbitmq_url, url, direct=lambda: database_url, seed=seed, settings=settings)
            )

        yield begin


def test_connections_that_others_took_are_waited_for(try_it: TryIt, database_url: str) -> None:
    line = proxy.to(database_url)
    tried = try_it(line.url(database_url))
    line.cut()
    tried.is_away()

    with every_connection(database_url):
        line.mend()
        eventually(lambda: "too many" in tried.process.log or "slots are reserved" in tried.process.log)
        tried.is_away()

    tried.goes_on()
    tried.all_is_there_once()
    line.close()


@pytest.mark.parametrize(
    ("seconds", "limit"), [(3, "1s"), pytest.param(20, "30s", marks=pytest.mark.faults)], ids=["3 s", "20 s"]
)
def test_a_locked_table_is_waited_for_and_given_up_in_time(try_it: TryIt, seconds: float, limit: str) -> None:
    tried = try_it(FLOWER_DATABASE_WRITE_TIMEOUT=limit)

    with psycopg.connect(tried.direct()) as other:
        other.execute("LOCK TABLE task")
        threading.Event().wait(seconds)
        eventually(lambda: "lock timeout" in tried.process.log)
        assert trial.truths(tried.process, "healthz")["ok"]

    tried.goes_on()
    tried.all_is_there_once()


def test_a_statement_that_takes_too_long_is_tried_again(try_it: TryIt) -> None:
    tried = try_it(FLOWER_DATABASE_WRITE_TIMEOUT="1s")
    tried.query(SLOW_MERGE)
    eventually(lambda: "statement timeout" in tried.process.log)
    failures = trial.metric(tried.process, FAILURES)
    eventually(lambda: trial.metric(tried.process, FAILURES) > failures)

    tried.query("DROP TRIGGER slow ON task")

    tried.goes_on()
    tried.all_is_there_once()


def test_a_deadlock_with_a_stranger_costs_no_event(try_it: TryIt) -> None:
    tried = try_it()

    with psycopg.connect(tried.direct()) as stranger:
        eventually(lambda: locked_in_the_other_order(stranger, tried) and "deadlock" in tried.process.log)

    tried.goes_on()
    tried.all_is_there_once()


def locked_in_the_other_order(stranger: psycopg.Connection, tried: Trial) -> bool:
    """Hold half of the tasks that are under way until the collector waits for one, then ask for the other half."""
    keys = sorted((key for (key,) in tried.query(UNFINISHED)), reverse=True)
    middle = len(keys) // 2
    with contextlib.suppress(psycopg.errors.DeadlockDetected), stranger.transaction():
        lock(stranger, keys[:middle])
        with contextlib.suppress(AssertionError):
            eventually(lambda: tried.query(WAITING), within=2)
            lock(stranger, keys[middle:])
    return True


def lock(stranger: psycopg.Connection, keys: list[object]) -> None:
    for key in keys:
        stranger.execute("SELECT FROM task WHERE key = %s FOR UPDATE", (key,))


def test_transactions_that_cannot_be_serialized_are_tried_again(
    try_it: TryIt, tmp_path: Path, rabbitmq_url: str, database_url: str
) -> None:
    """A default of role or database that one may have set for other programs; two collectors meet in their counts."""
    name = database_url.rpartition("/")[2]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'".encode())
    tried = try_it()
    second = CollectorProcess(tmp_path, broker_url=rabbitmq_url, database_url=database_url, name="second")
    second.start()
    try:
        eventually(lambda: "could not serialize" in tried.process.log + second.log)
    finally:
        second.stop()

    tried.goes_on()
    tried.all_is_there_once()


def test_a_pool_in_transaction_mode_may_go_and_come_again(try_it: TryIt, database_url: str) -> None:
    with pgbouncer.serving(database_url) as pool:
        tried = try_it(pool.url)
        for _ in range(3):
            pool.kill()
            tried.is_away()
            pool.start()
            tried.goes_on()
        tried.query(TERMINATE + " AND datname = current_database()")  # the pool's, under its clients

        tried.goes_on()
        tried.all_is_there_once()


@contextmanager
def every_connection(url: str) -> Generator[None]:
    """Hold all connections that the server gives to such as us."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                stack.enter_context(psycopg.connect(url, application_name="other"))
        yield
