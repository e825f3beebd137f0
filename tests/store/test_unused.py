"""Names that nothing refers to any more go, new ones have room again, and no id is written whose row may be gone."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from tests.store import recount
from tests.store.conftest import Query
from tests.waiting import eventually

from flower_store import dimensions, errors, retention, unused
from flower_store.dimensions import OVERFLOW, Bounds
from flower_store.events import TaskEvent
from flower_store.factories import NOON, a_heartbeat, a_success, an_event
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

DAY = timedelta(days=1)
KEPT = RetentionSettings(
    retention_events=DAY, retention_tasks=2 * DAY, retention_failed=3 * DAY, retention_samples=DAY,
    retention_minutes=DAY, retention_hours=4 * DAY, retention_history=5 * DAY, retention_aside=9 * DAY,
)  # fmt: skip
WORKERS = "SELECT hostname FROM worker ORDER BY hostname"
QUEUES = "SELECT name FROM queue ORDER BY name"
UNUSED_FOR = "UPDATE {} SET used_at = used_at - %s::interval RETURNING 1"
LONG = timedelta(days=5, hours=3)
TASK = "00000000-0000-4000-8000-000000000001"


class Clock:
    """A writer's clock, which a test moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bounded(settings: StoreSettings, clock: Clock) -> Iterator[Writer]:
    writer = Writer(settings, cluster="default", bounds=Bounds(workers=3, queues=3), clock=clock)
    yield writer
    writer.close()


def pods(*numbers: int) -> list[str]:
    return [f"celery@pod-{number}" for number in numbers]


def hear(writer: Writer, *hosts: str) -> None:
    writer.write([], [a_heartbeat(worker=host) for host in hosts])


def age(query: Query, *tables: str, by: timedelta = LONG) -> None:
    for table in tables or ("worker", "queue"):
        query(UNUSED_FOR.format(table), by)


def swept(writer: Writer, settings: RetentionSettings = KEPT, *, ahead: timedelta = timedelta(0)) -> Counter[str]:
    """What retention deleted of names, `ahead` of the time of day."""
    rows: Counter[str] = Counter()
    for gone in retention.steps(writer, settings, datetime.now(UTC) + ahead, threading.Event()):
        if gone.kind == retention.NAMES:
            rows[gone.subject] += gone.rows or 0
    return rows


def early(seconds: float, *, days: float) -> float:
    """Seconds after NOON of a moment so many days ago."""
    return (datetime.now(UTC) - timedelta(days=days) - NOON).total_seconds() + seconds


def of_one_worker(host: str, *, days: float) -> list[TaskEvent]:
    begin = early(0, days=days)
    return [
        an_event("sent", begin, task_id=TASK, worker="client", name="app.add", queue=f"q.{host}"),
        an_event("received", begin + 1, task_id=TASK, worker=host, name="app.add"),
        an_event("started", begin + 2, task_id=TASK, worker=host),
        an_event("succeeded", begin + 3, task_id=TASK, worker=host, result="3", runtime=1.0),
    ]


def test_workers_that_nothing_refers_to_go_and_new_ones_have_room(bounded: Writer, query: Query, clock: Clock) -> None:
    hear(bounded, *pods(1, 2, 3, 4))
    full = query(WORKERS)
    age(query)

    gone = swept(bounded)
    clock.at += dimensions.LEASE.total_seconds()
    hear(bounded, *pods(5, 6, 7))

    assert full == [(OVERFLOW,), *((pod,) for pod in pods(1, 2, 3))]
    assert gone == {"worker": 4}
    assert query(WORKERS) == [(pod,) for pod in pods(5, 6, 7)]


def test_a_worker_stays_as_long_as_anything_is_kept(bounded: Writer, query: Query) -> None:
    hear(bounded, *pods(1, 2))
    age(query, by=timedelta(days=5, hours=1))

    assert not swept(bounded)
    assert query(WORKERS) == [(pod,) for pod in pods(1, 2)]


@pytest.mark.parametrize("name", ["retention_events", "retention_hours", "retention_history"])
def test_where_something_is_kept_for_ever_so_are_names(bounded: Writer, query: Query, name: str) -> None:
    hear(bounded, *pods(1))
    age(query, by=timedelta(days=10_000))
    endless = dict.fromkeys((name, "retention_tasks", "retention_failed"), timedelta(0))
    for_ever = RetentionSettings(**endless)  # type: ignore[arg-type]  # all but one are durations

    assert not swept(bounded, for_ever)
    assert query(WORKERS) == [(pod,) for pod in pods(1)]


def test_what_is_looked_up_stays_and_what_is_not_goes(bounded: Writer, query: Query, clock: Clock) -> None:
    hear(bounded, *pods(1, 2))
    age(query)
    clock.at += dimensions.LEASE.total_seconds()

    hear(bounded, *pods(2))
    swept(bounded)

    assert query(WORKERS) == [(pod,) for pod in pods(2)]


def test_a_task_keeps_its_worker_and_its_queue(bounded: Writer, query: Query) -> None:
    """It waits for its time, and so does not go itself."""
    eta = (datetime.now(UTC) + DAY).isoformat()
    bounded.write(
        [
            an_event("sent", early(0, days=9), task_id=TASK, worker="client", name="app.add", queue="slow", eta=eta),
            an_event("received", early(1, days=9), task_id=TASK, worker="celery@a", name="app.add", eta=eta),
        ]
    )
    age(query, by=timedelta(days=9))

    assert not swept(bounded)
    assert (query(WORKERS), query(QUEUES)) == ([("celery@a",)], [("slow",)])


def test_a_worker_of_an_earlier_run_of_a_task_stays_with_the_task(bounded: Writer, query: Query) -> None:
    bounded.write(
        [
            an_event("received", early(0, days=9), task_id=TASK, worker="celery@first", name="app.add"),
            an_event("started", early(1, days=0.1), task_id=TASK, worker="celery@second"),
        ]
    )
    age(query, by=timedelta(days=9))
    query("UPDATE worker SET used_at = now() WHERE hostname = 'celery@second' RETURNING 1")

    swept(bounded)

    assert query(WORKERS) == [("celery@first",), ("celery@second",)]


def test_with_the_last_task_and_count_its_worker_and_queue_go(bounded: Writer, query: Query, database_url: str) -> None:
    bounded.write(
        of_one_worker("celery@old", days=6), [a_heartbeat(early(3, days=6), worker="celery@old", kind="online")]
    )
    bounded.write_replies({"celery@old": {"stats": {}}}, silence=DAY)
    age(query, by=timedelta(days=6))

    gone = swept(bounded)

    assert gone == {"worker": 1, "queue": 1}
    assert query("SELECT count(*) FROM task") == [(0,)]
    for table in ("worker_reply", "worker_event", "process_beat", "rollup_total", "histogram_total"):
        left = query(f"SELECT count(*) FROM {table} r WHERE worker_id <> 0")
        assert (table, left) == (table, [(0,)])
    of_tasks = query("SELECT type, count FROM rollup_total_by WHERE by = 1 AND id <> 0 ORDER BY type")
    assert ("task-succeeded", 1) in of_tasks, "what is told of a task at all workers never falls"
    with psycopg.connect(database_url) as connection:
        orphans = connection.execute("SELECT count(*) FROM worker_reply").fetchone()
    assert orphans == (0,)


def test_an_event_of_a_clock_that_is_ahead_keeps_its_worker_until_then(bounded: Writer, query: Query) -> None:
    bounded.write([an_event("started", early(0, days=-3), task_id=TASK, worker="celery@ahead")])

    used = query("SELECT used_at > now() + interval '2 days' FROM worker")

    assert used == [(True,)]


def test_a_preview_counts_what_would_go_and_leaves_it(bounded: Writer, query: Query) -> None:
    hear(bounded, *pods(1, 2, 3))
    age(query)

    found = retention.preview(bounded, KEPT, datetime.now(UTC))

    assert [(one.kind, one.subject, one.rows) for one in found if one.kind == retention.NAMES] == [
        (retention.NAMES, "worker", 3)
    ]
    assert len(query(WORKERS)) == 3


def test_many_names_go_in_bounded_batches(writer: Writer, query: Query) -> None:
    hear(writer, *pods(*range(2 * unused.BATCH + 1)))
    age(query)

    steps = retention.steps(writer, KEPT, datetime.now(UTC), threading.Event())
    batches = [gone.rows for gone in steps if gone.kind == retention.NAMES]

    assert batches == [unused.BATCH, unused.BATCH, 1]


def test_a_row_that_somebody_holds_is_passed_over(writer: Writer, query: Query, database_url: str) -> None:
    hear(writer, *pods(1, 2))
    age(query)

    with psycopg.connect(database_url) as other:
        other.execute("UPDATE worker SET active = 1 WHERE hostname = %s", pods(1))
        gone = swept(writer)

    assert gone == {"worker": 1}
    assert query(WORKERS) == [(pod,) for pod in pods(1)]


def test_a_collector_that_remembers_a_name_for_long_looks_it_up_again(
    bounded: Writer, settings: StoreSettings, query: Query, clock: Clock
) -> None:
    """Another collector's retention has deleted it meanwhile."""
    hear(bounded, *pods(1))
    age(query)
    other = Writer(settings, cluster="default")
    swept(other)
    other.close()

    clock.at += dimensions.LEASE.total_seconds()
    bounded.write(a_success(TASK), [a_heartbeat(worker=pods(1)[0])])

    assert query(WORKERS) == [("celery@a",), (pods(1)[0],)]
    assert query("SELECT hostname FROM task t JOIN worker w ON w.id = t.worker_id") == [("celery@a",)]


def test_a_collector_that_stood_still_writes_no_name_that_it_remembers(
    bounded: Writer, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own clock stood still, too: the database's has gone on."""
    hear(bounded, "celery@a")
    monkeypatch.setattr(dimensions, "STALE", timedelta(seconds=-1))

    with pytest.raises(errors.Unavailable, match="looked up again"):
        bounded.write(a_success(TASK))
    monkeypatch.undo()
    bounded.write(a_success(TASK))

    assert query("SELECT hostname FROM task t JOIN worker w ON w.id = t.worker_id") == [("celery@a",)]


def test_what_was_lost_long_ago_is_not_logged_again(writer: Writer, query: Query) -> None:
    hear(writer, *pods(1))
    query("UPDATE worker SET alive_until = now() - interval '1 hour' RETURNING 1")
    lost = writer.mark_lost_workers()
    query("DELETE FROM worker_event RETURNING 1")
    query("UPDATE worker SET alive_until = now() - interval '8 days' RETURNING 1")

    assert (lost, writer.mark_lost_workers()) == (1, 0)


def test_counts_are_still_what_the_log_says(bounded: Writer, query: Query, database_url: str) -> None:
    hear(bounded, *pods(1))
    age(query)
    bounded.write(a_success(TASK, early(0, days=0)))

    swept(bounded)

    with psycopg.connect(database_url) as connection:
        assert recount.differences(connection) == []


def test_a_lookup_waits_for_who_deletes_the_name_and_adds_it_anew(
    writer: Writer, query: Query, database_url: str
) -> None:
    hear(writer, *pods(1))
    ((old,),) = query("SELECT id FROM worker")
    age(query)
    other = Writer(StoreSettings(database_url=database_url), cluster="default")
    other.connect()

    with psycopg.connect(database_url) as deleting, ThreadPoolExecutor(1) as thread:
        deleting.execute("DELETE FROM worker")
        heard = thread.submit(hear, other, *pods(1))
        eventually(lambda: query("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == [(1,)])
        deleting.commit()
        heard.result(30)
    other.close()

    ((new,),) = query("SELECT id FROM worker")
    assert new > old  # type: ignore[operator]  # a column of the driver's
