"""Unfinished tasks are closed with what the result backend knows of them, and with nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
import redis
from structlog.testing import capture_logs
from tests.collector.conftest import Query
from tests.services import celery_app

from flower_collector import app, results
from flower_collector.metrics import Metrics
from flower_collector.reconciler import BACKEND_FAILED, Reconciler
from flower_collector.settings import CollectorSettings
from flower_store import factories, losses
from flower_store.factories import NOON, an_event
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

# Celery's own, where a result is stored.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

SETTINGS = CollectorSettings(broker="memory://", reconcile_after=timedelta(minutes=1))
STATES = "SELECT state, reconciled, found_result FROM task ORDER BY id_text"
TASK = "one"
Make = Callable[[str], Reconciler]


@pytest.fixture
def writer(database_url: str) -> Iterator[Writer]:
    writer = Writer(StoreSettings(database_url=database_url), cluster="default")
    yield writer
    writer.close()


@pytest.fixture
def reconciler(writer: Writer) -> Make:
    def make(url: str) -> Reconciler:
        settings = replace(SETTINGS, result_backend=url)
        return Reconciler(
            app.cluster_app(settings), writer, settings=settings, leads=lambda: True, redaction=None, metrics=Metrics()
        )

    return make


@pytest.fixture
def backend_url(redis_url: str) -> str:
    return redis_url.removesuffix("/0") + "/1"


def store(url: str, task_id: str, result: object, state: str, **more: object) -> None:
    """As a worker stores it."""
    celery_app.client("memory://", url).backend.store_result(task_id, result, state, **more)


def test_a_task_whose_end_was_not_told_ends_as_the_backend_knows(
    reconciler: Make, backend_url: str, writer: Writer, query: Query
) -> None:
    writer.write([an_event("started", task_id="a"), an_event("received", task_id="b"), an_event("sent", task_id="c")])
    store(backend_url, "a", {"x": [1]}, "SUCCESS")
    store(backend_url, "b", ValueError("no"), "FAILURE", traceback="Traceback: no")

    reconciler(backend_url).work_once()

    assert query(STATES) == [
        ("SUCCESS", True, '{"x": [1]}'),
        ("FAILURE", True, "ValueError('no')"),
        ("PENDING", None, None),
    ]
    assert query("SELECT sum(count)::int FROM rollup_1m") == [(3,)]


def test_a_real_end_overrules_what_was_found_and_so_does_a_later_start(
    reconciler: Make, backend_url: str, writer: Writer, query: Query
) -> None:
    writer.write([an_event("started", task_id="a"), an_event("started", task_id="b")])
    store(backend_url, "a", 1, "SUCCESS")
    store(backend_url, "b", 1, "SUCCESS")
    reconciler(backend_url).work_once()

    writer.write([an_event("failed", 1, task_id="a", exception="E()")])
    writer.write([an_event("started", 10 * 365 * 86_400, task_id="b", worker="celery@b")])

    assert query("SELECT state, reconciled FROM task ORDER BY id_text") == [("FAILURE", None), ("STARTED", None)]


def test_a_failure_of_an_earlier_run_does_not_end_a_later_one(
    reconciler: Make, backend_url: str, writer: Writer, query: Query
) -> None:
    store(backend_url, TASK, ValueError("first"), "FAILURE")
    writer.write([an_event("started", 10 * 365 * 86_400, task_id=TASK)])
    writer.record_gap(NOON, NOON, reason=losses.COLLECTOR_AWAY)
    query("UPDATE task SET seen_at = now() - interval '1 hour', last_at = now() - interval '1 hour' RETURNING 1")

    reconciler(backend_url).work_once()

    assert query("SELECT state FROM task") == [("STARTED",)]


def test_what_is_not_known_is_looked_up_ever_more_rarely(
    reconciler: Make, backend_url: str, writer: Writer, query: Query
) -> None:
    writer.write([an_event("sent", task_id=TASK)])
    looking = reconciler(backend_url)

    looking.work_once()
    looking.work_once()
    once = query("SELECT looks FROM task_look")
    query("UPDATE task_look SET next_at = now() RETURNING 1")
    looking.work_once()

    assert (once, query("SELECT looks FROM task_look")) == ([(1,)], [(2,)])


@pytest.mark.parametrize(
    "value", [b"\x80\x04N.", b"{", b"[]", b'{"status": 1}', b'{"status": "STARTED"}', b"[" * 9_999]
)
def test_what_is_no_result_changes_nothing(
    reconciler: Make, backend_url: str, writer: Writer, query: Query, value: bytes
) -> None:
    writer.write([an_event("started", task_id=TASK)])
    with redis.Redis.from_url(backend_url) as client:
        client.set(f"celery-task-meta-{TASK}", value)

    reconciler(backend_url).work_once()

    assert query(STATES) == [("STARTED", None, None)]


def test_an_exception_that_a_result_names_is_never_imported(
    reconciler: Make, backend_url: str, writer: Writer, query: Query
) -> None:
    writer.write([an_event("started", task_id=TASK)])
    with redis.Redis.from_url(backend_url) as client:
        client.set(
            f"celery-task-meta-{TASK}",
            b'{"status": "FAILURE", "result": {"exc_type": "system", "exc_module": "os", "exc_message": ["exit 1"]}}',
        )

    reconciler(backend_url).work_once()

    assert query(STATES) == [("FAILURE", True, "system('exit 1')")]


def test_a_database_backend_tells_states_and_its_pickles_stay_closed(
    reconciler: Make, database_url: str, writer: Writer, query: Query
) -> None:
    url = "db+" + database_url.replace("postgresql://", "postgresql+psycopg://")
    writer.write([an_event("started", task_id=TASK)])
    store(url, TASK, [1, 2], "SUCCESS")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE celery_taskmeta SET result = 'no pickle at all'::bytea")

    reconciler(url).work_once()

    assert query(STATES) == [("SUCCESS", True, None)]


@pytest.mark.parametrize(("url", "why"), [("rpc://", "sender"), ("", "no result backend")])
def test_a_backend_that_cannot_be_asked_is_said(reconciler: Make, url: str, why: str) -> None:
    with pytest.raises(results.Unsupported, match=why):
        reconciler(url).work_once()


def test_a_database_that_cannot_be_opened_is_told_in_a_sentence_that_names_the_setting(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    writer.write([an_event("started", task_id=TASK)])
    settings = replace(SETTINGS, result_backend="db+sqlite:////nonexistent/directory/results.db")

    def leads() -> bool:
        looking.finish()
        return True

    looking = Reconciler(
        app.cluster_app(settings), writer, settings=settings, leads=leads, redaction=None, metrics=Metrics()
    )

    with capture_logs() as logged:
        looking.run()

    (told,) = [line for line in logged if line["event"] == BACKEND_FAILED]
    assert told["setting"] == "result_backend"
    assert "unable to open database file" in told["error"]
    assert "\n" not in told["error"]
    assert [record.exc_info for record in caplog.records if record.exc_info] == []


def test_a_repaired_task_counts_for_the_interval_in_which_it_was_missed(
    reconciler: Make, backend_url: str, writer: Writer, query: Query
) -> None:
    writer.write([an_event("received", task_id=TASK)], [factories.a_heartbeat()])
    query(
        "INSERT INTO completeness (cluster_id, worker_id, pid, incarnation, clock_from, clock_to, began_at, ended_at, "
        "received_from, received_to, processed, seen, missing, cause) SELECT 1, id, 1, 1, 1, 9, now() - '1 min', "
        "now() + '1 min', now(), now(), 3, 1, 2, 'unknown' FROM worker RETURNING 1".replace(
            "'1 min'", "interval '1 minute'"
        )
    )
    store(backend_url, TASK, 1, "SUCCESS")

    reconciler(backend_url).work_once()

    assert query("SELECT missing, repaired FROM completeness") == [(2, 1)]
