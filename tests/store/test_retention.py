"""What is too old goes, in small steps, and nobody waits for it."""

import threading
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import psycopg
import pytest
from tests.store.conftest import Query

from flower_store import disk, factories, moments, retention
from flower_store.events import SetAside, TaskEvent
from flower_store.factories import NOON, a_success, an_event
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import SettingError, StoreSettings
from flower_store.writes import Writer

DAY = timedelta(days=1)
SHORT = RetentionSettings(
    retention_events=DAY, retention_tasks=2 * DAY, retention_failed=10 * DAY, retention_samples=DAY,
    retention_minutes=DAY, retention_hours=5 * DAY, retention_history=5 * DAY, retention_aside=DAY,
)  # fmt: skip
TASKS = "SELECT key FROM task ORDER BY key"


def at(days: float) -> datetime:
    return NOON + timedelta(days=days)


def task_id(number: int) -> str:
    return str(UUID(int=number))


def swept(writer: Writer, now: datetime, settings: RetentionSettings = SHORT) -> Counter[str]:
    rows: Counter[str] = Counter()
    for gone in retention.steps(writer, settings, now, threading.Event()):
        rows[gone.subject] += gone.rows or 0
    return rows


def failed(number: int) -> list[TaskEvent]:
    return [
        an_event("received", task_id=task_id(number), name="app.fail"),
        an_event("failed", 1, task_id=task_id(number)),
    ]


def test_a_task_goes_when_its_last_event_is_old_and_a_failed_one_later(writer: Writer, query: Query) -> None:
    writer.write([*a_success(task_id(1)), *failed(2), *a_success(task_id(3), 86_400)])

    left: list[list[UUID]] = []
    for days in (1.5, 2.5, 3.5, 10.5):
        swept(writer, at(days))
        left.append([row[0] for row in query(TASKS)])  # type: ignore[misc]  # the driver's row

    assert left == [
        [UUID(int=1), UUID(int=2), UUID(int=3)],
        [UUID(int=2), UUID(int=3)],
        [UUID(int=2)],
        [],
    ]


def test_a_task_that_waits_for_its_time_stays(writer: Writer, query: Query) -> None:
    waiting = an_event("received", task_id=task_id(1), name="app.add", eta=at(20).isoformat())
    writer.write([waiting, an_event("received", task_id=task_id(2), name="app.add")])

    swept(writer, at(15))

    assert query(TASKS) == [(UUID(int=1),)]


def test_a_task_that_still_reports_stays_however_early_it_was_seen(writer: Writer, query: Query) -> None:
    writer.write([an_event("started", task_id=task_id(1)), an_event("progress", 14 * 86_400, task_id=task_id(1))])

    swept(writer, at(15))

    assert query(TASKS) == [(UUID(int=1),)]


def test_an_event_that_comes_again_after_its_day_was_dropped_is_not_counted_again(writer: Writer, query: Query) -> None:
    counted = "SELECT sum(count)::int FROM rollup_1h"
    writer.ensure_partitions(NOON)
    writer.write(a_success(task_id(1)))
    swept(writer, at(2))
    dropped = query("SELECT count(*) FROM task_event"), query(TASKS)

    again = writer.write(a_success(task_id(1)))
    swept(writer, at(4))
    deleted = query(TASKS)
    once_more = writer.write(a_success(task_id(1)))

    assert dropped == ([(0,)], [(UUID(int=1),)])
    assert deleted == []
    assert [(one.stored, one.too_old) for one in (again, once_more)] == [(0, 4), (0, 4)]
    assert query(counted) == [(4,)]


def test_days_of_events_go_as_a_whole_when_their_last_moment_is_old(writer: Writer, query: Query) -> None:
    writer.ensure_partitions(NOON)
    writer.write([an_event("started", 86_400 * day, task_id=task_id(day + 1)) for day in (0, 1)])

    swept(writer, at(1.4))  # the first day ended half a day after noon
    before = query("SELECT count(*) FROM task_event")
    swept(writer, at(1.6))

    assert before == [(2,)]
    assert query("SELECT tableoid::regclass::text FROM task_event") == [("task_event_20261121",)]
    assert query("SELECT to_regclass('task_event_20261120'), to_regclass('queue_sample_20261120')") == [(None, None)]


def test_events_of_clocks_far_off_go_by_when_they_were_received(writer: Writer, query: Query) -> None:
    writer.ensure_partitions(NOON)
    far = (-86_400 * 100, 86_400 * 1000)
    writer.write(
        [
            msgspec.structs.replace(an_event("started", at, task_id=task_id(1)), received=moments.micros(NOON))
            for at in far
        ]
    )

    swept(writer, at(0.9))
    early = query("SELECT count(*) FROM task_event")
    swept(writer, at(1.1))

    assert early == [(2,)]
    assert query("SELECT count(*) FROM task_event") == [(0,)]


def test_counts_history_and_set_aside_input_go_after_their_time(writer: Writer, query: Query) -> None:
    writer.write(a_success(task_id(1)), [factories.a_heartbeat(kind="online")])
    writer.record_gap(NOON, NOON, reason="collector_away")
    counted = "SELECT (SELECT count(*) > 0 FROM rollup_1m), (SELECT count(*) > 0 FROM rollup_1h)"
    history = "SELECT (SELECT count(*) FROM worker_event), (SELECT count(*) FROM gap)"

    swept(writer, at(1.5))
    early = query(counted), query(history)
    swept(writer, at(6))

    assert early == ([(False, True)], [(1, 1)])
    assert (query(counted), query(history)) == ([(False, False)], [(0, 0)])


def test_totals_never_fall_whatever_goes(writer: Writer, query: Query) -> None:
    totals = ("rollup_total", "rollup_total_by", "histogram_total", "histogram_total_by", "histogram_total_queue")
    writer.write(a_success(task_id(1)))
    before = [query(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in totals]

    gone = swept(writer, at(100))
    writer.write(a_success(task_id(1)))

    assert min(gone["rollup_1h"], gone["histogram_1h"]) > 0
    assert [query(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in totals] == before
    assert all(before)


def test_nothing_is_for_ever_and_so_is_kept(writer: Writer, query: Query) -> None:
    writer.ensure_partitions(NOON)
    writer.write(a_success(task_id(1)))
    for_ever = RetentionSettings(
        retention_events=timedelta(0), retention_tasks=timedelta(0), retention_failed=timedelta(0),
        retention_samples=timedelta(0), retention_minutes=timedelta(0), retention_hours=timedelta(0),
        retention_history=timedelta(0), retention_aside=timedelta(0),
    )  # fmt: skip

    gone = swept(writer, at(10_000), for_ever)

    assert not gone
    assert query("SELECT count(*) FROM task_event") == [(4,)]


def test_many_tasks_go_in_bounded_batches(writer: Writer, query: Query) -> None:
    many = 2 * retention.BATCH + 1
    writer.write([an_event("succeeded", number / 10, task_id=task_id(number)) for number in range(many)])

    batches = [gone.rows for gone in retention.steps(writer, SHORT, at(3), threading.Event()) if gone.subject == "task"]

    assert batches == [retention.BATCH, retention.BATCH, 1]
    assert query(TASKS) == []


def test_a_row_that_a_collector_holds_is_passed_over(writer: Writer, query: Query, database_url: str) -> None:
    writer.write([*a_success(task_id(1)), *a_success(task_id(2))])

    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM task WHERE key = %s FOR UPDATE", (UUID(int=1),))
        gone = swept(writer, at(3))

    assert gone["task"] == 1
    assert query(TASKS) == [(UUID(int=1),)]


def test_nothing_goes_while_a_batch_is_under_way_that_may_log_what_is_too_old(
    writer: Writer, query: Query, database_url: str
) -> None:
    writer.ensure_partitions(NOON)
    writer.write(a_success(task_id(1)))

    with psycopg.connect(database_url) as other:
        other.execute("UPDATE task SET args = args")
        held = [gone.done for gone in retention.steps(writer, SHORT, at(3), threading.Event())]
        kept = query("SELECT count(*) FROM task_event")
    swept(writer, at(3))

    assert (held, kept) == ([False], [(4,)])
    assert query("SELECT count(*) FROM task_event") == [(0,)]


def test_a_day_that_somebody_reads_is_left_and_collecting_goes_on_meanwhile(
    writer: Writer, query: Query, database_url: str, settings: StoreSettings
) -> None:
    writer.ensure_partitions(NOON)
    writer.write(a_success(task_id(1)))
    collecting = Writer(settings, cluster="default")

    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM task_event").fetchone()
        days = [
            gone
            for gone in retention.steps(writer, SHORT, at(1.6), threading.Event())
            if gone.subject.startswith("task_event_")
        ]
        collecting.write(a_success(task_id(2), 86_400))
        stored = query("SELECT count(*) FROM task_event")
    again = [
        gone
        for gone in retention.steps(writer, SHORT, at(1.6), threading.Event())
        if gone.subject.startswith("task_event_")
    ]
    collecting.close()

    assert [(gone.subject, gone.done) for gone in days] == [
        ("task_event_20261119", False),
        ("task_event_20261120", False),
    ]
    assert stored == [(8,)]
    assert [(gone.subject, gone.done) for gone in again] == [
        ("task_event_20261119", True),
        ("task_event_20261120", True),
    ]
    assert query("SELECT count(*) FROM task_event") == [(4,)]


def test_a_preview_tells_what_then_goes(writer: Writer) -> None:
    writer.ensure_partitions(NOON)
    writer.write([event for number in range(1, 6) for event in a_success(task_id(number))])
    said = retention.preview(writer, SHORT, at(3))

    done = [gone for gone in retention.steps(writer, SHORT, at(3), threading.Event()) if gone.rows]

    assert {(one.kind, one.subject) for one in done} <= {(one.kind, one.subject) for one in said}
    assert [one.rows for one in said if one.subject == "task"] == [5]
    assert retention.preview(writer, SHORT, at(3)) == []


def test_past_the_disks_bound_old_days_go_first_and_then_old_tasks(writer: Writer, query: Query) -> None:
    writer.ensure_partitions(NOON)
    writer.write([event for number in range(1, 201) for event in a_success(task_id(number), number)])
    writer.write([event for number in range(201, 301) for event in a_success(task_id(number), 86_400 + number)])
    with writer.session() as connection:
        connection.execute("ANALYZE")
        everything = disk.taken(connection)
    bounded = RetentionSettings(retention_max_bytes=1)

    def plan(most: int) -> disk.Plan:
        with writer.session() as connection:
            return disk.plan(connection, most, now=at(1))

    roomy, tight, hopeless = plan(everything * 2), plan(everything - 1), plan(1)
    said = retention.preview(writer, bounded, at(1))
    swept(writer, at(1), bounded)

    assert roomy == disk.Plan([], 0)
    assert [day.name for day in tight.days] == ["task_event_20261119"]
    assert tight.tasks == 0
    assert [day.name for day in hopeless.days] == ["task_event_20261119", "task_event_20261120"]
    assert hopeless.tasks == 300
    # A task stays as long as the log may hold an event of it.
    assert [one.rows for one in said if one.subject == "task"] == [200]
    assert query("SELECT count(*) FROM task") == [(100,)]
    assert query("SELECT count(*) FROM task_event") == [(400,)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("retention_tasks", {"retention_events": 8 * DAY, "retention_tasks": 7 * DAY}),
        ("retention_failed", {"retention_failed": 6 * DAY}),
        ("retention_tasks", {"retention_events": timedelta(0)}),
        ("retention_hours", {"retention_hours": -DAY}),
        ("retention_max_bytes", {"retention_max_bytes": -1}),
    ],
)
def test_a_rule_that_is_broken_names_the_setting(name: str, values: dict[str, timedelta]) -> None:
    with pytest.raises(SettingError) as refused:
        RetentionSettings(**values)  # type: ignore[arg-type]  # a table of values

    assert refused.value.name == name


def test_set_aside_input_is_bounded_by_bytes(writer: Writer, query: Query) -> None:
    aside = SetAside(
        received_at=NOON, reason="not_json", detail="", routing_key="", content_type="", body=b"x" * 100
    )  # fmt: skip
    writer.write([], aside=[aside] * 5)

    trimmed = [writer.trim_set_aside(100, keep_bytes=250) for _ in range(2)]

    assert trimmed == [3, 0]
    assert query("SELECT count(*) FROM set_aside") == [(2,)]


def test_the_log_of_commands_goes_after_its_own_time_and_not_within_a_month(writer: Writer, query: Query) -> None:
    for days in (5, 29, 31, 50):
        query(
            "INSERT INTO command (kind, target, arguments, actor, origin, asked_at, expires_at) VALUES "
            "('login', '{}', '{}', 'alice', '', now() - make_interval(days => %s), now()) RETURNING 1",
            days,
        )
    days_left = "SELECT extract(day FROM now() - asked_at)::int FROM command ORDER BY 1"
    monthly = RetentionSettings(retention_audit=30 * DAY)
    real = query("SELECT now()")[0][0]
    assert isinstance(real, datetime)

    swept(writer, real, RetentionSettings(retention_audit=40 * DAY))
    after_forty = query(days_left)
    previewed = [(one.kind, one.rows) for one in retention.preview(writer, monthly, real) if one.kind == "audit"]
    swept(writer, real + 300 * DAY, monthly)  # a clock that is wrong

    assert after_forty == [(5,), (29,), (31,)]
    assert previewed == [("audit", 1)]
    assert query(days_left) == [(5,), (29,)]
