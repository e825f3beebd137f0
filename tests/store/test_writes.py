"""What a batch does, and that doing it again does nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import repeat
from uuid import uuid4

import msgspec
import psycopg
import pytest
from tests.store.conftest import Query

from flower_store import collectors, errors, factories, leadership, partitions
from flower_store.events import SetAside
from flower_store.factories import NOON, a_success, an_event, uuid_of
from flower_store.settings import StoreSettings
from flower_store.writes import SET_ASIDE_BODY, Instance, Writer

IDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(1, 21)]


def test_a_batch_written_again_changes_nothing_and_counts_nothing_twice(writer: Writer, query: Query) -> None:
    batch = [event for task_id in IDS for event in a_success(task_id, runtime=0.5)]
    first = writer.write(batch)
    before = query("SELECT * FROM task ORDER BY key"), query("SELECT * FROM rollup_1m ORDER BY type")

    again = writer.write(batch)

    assert (first.stored, again.stored) == (80, 0)
    assert before == (query("SELECT * FROM task ORDER BY key"), query("SELECT * FROM rollup_1m ORDER BY type"))


def test_an_event_twice_in_one_batch_counts_once(writer: Writer, query: Query) -> None:
    batch = a_success(IDS[0], runtime=2.0)

    written = writer.write(batch + batch)

    assert written.stored == 4
    assert query("SELECT type, count, runtime_count, runtime_sum FROM rollup_1m ORDER BY type") == [
        ("task-received", 1, 0, 0.0),
        ("task-sent", 1, 0, 0.0),
        ("task-started", 1, 0, 0.0),
        ("task-succeeded", 1, 1, 2.0),
    ]


def test_rollups_count_by_name_and_worker_and_both_tables_agree(writer: Writer, query: Query) -> None:
    writer.write(a_success(IDS[0], name="app.a") + a_success(IDS[1], 3600, name="app.b"))

    minutes = query("SELECT type, sum(count) FROM rollup_1m GROUP BY type ORDER BY type")
    hours = query("SELECT type, sum(count) FROM rollup_1h GROUP BY type ORDER BY type")
    by_name = query(
        "SELECT n.name, w.hostname, r.count FROM rollup_1m r JOIN task_name n ON n.id = r.name_id "
        "LEFT JOIN worker w ON w.id = r.worker_id WHERE r.type IN ('task-sent', 'task-started') ORDER BY 1, 2"
    )
    assert minutes == hours
    assert by_name == [
        ("app.a", "celery@a", 1), ("app.a", None, 1), ("app.b", "celery@a", 1), ("app.b", None, 1),
    ]  # fmt: skip


def test_an_end_that_comes_in_a_later_batch_is_counted_under_its_task_s_name(writer: Writer, query: Query) -> None:
    story = a_success(IDS[0], name="app.late")
    writer.write(story[:2])

    writer.write(story[2:])

    found = query("SELECT n.name FROM rollup_1m r JOIN task_name n ON n.id = r.name_id WHERE r.type = 'task-succeeded'")
    assert found == [("app.late",)]


@pytest.mark.parametrize("task_id", ["1", "not a uuid / <b>é", "A" * 1024, "00000000-0000-4000-8000-00000000ABCD"])
def test_a_task_id_may_be_any_string(writer: Writer, query: Query, task_id: str) -> None:
    writer.write(a_success(task_id))

    assert query("SELECT id_text, state FROM task") == [(task_id, "SUCCESS")]


def test_a_canonical_uuid_costs_no_text(writer: Writer, query: Query) -> None:
    writer.write(a_success(IDS[3]))

    assert query("SELECT key::text, id_text FROM task") == [(IDS[3], None)]


def test_a_retry_that_names_itself_as_its_parent_has_no_parent(writer: Writer, query: Query) -> None:
    writer.write([an_event("received", task_id=IDS[0], name="app.t", parent_id=IDS[0], root_id=IDS[1], retries=1)])

    assert query("SELECT parent_key, root_key::text FROM task") == [(None, IDS[1])]


def test_a_success_without_a_runtime_is_a_success(writer: Writer, query: Query) -> None:
    writer.write([an_event("succeeded", task_id=IDS[0], result="1", runtime=None)])

    assert query("SELECT state, runtime FROM task") == [("SUCCESS", None)]
    assert query("SELECT count, runtime_count FROM rollup_1m") == [(1, 0)]


def test_events_are_kept_as_they_came(writer: Writer, query: Query) -> None:
    writer.write([an_event("progress", 7, task_id=IDS[0], clock=9, pct=50, deep={"a": [1, None, "é"]})])

    assert query("SELECT t.name, at, clock, fields::jsonb FROM task_event JOIN event_type t ON t.id = type") == [
        ("task-progress", NOON + timedelta(seconds=7), 9, {"pct": 50, "deep": {"a": [1, None, "é"]}})
    ]


def test_what_the_database_refuses_is_rejected_and_leaves_nothing_behind(writer: Writer, query: Query) -> None:
    batch = [*a_success(IDS[0]), an_event("succeeded", task_id=IDS[1], result="a\0b")]

    with pytest.raises(errors.Rejected):
        writer.write(batch)

    assert query("SELECT count(*) FROM task") == query("SELECT count(*) FROM task_event") == [(0,)]
    assert writer.write(a_success(IDS[0])).stored == 4


def test_a_cut_connection_is_unavailable_and_the_next_write_connects_again(
    writer: Writer, query: Query, database_url: str
) -> None:
    writer.connect()
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'flower'"
        )

    with pytest.raises(errors.Unavailable):
        writer.write(a_success(IDS[0]))

    assert writer.write(a_success(IDS[0])).stored == 4
    assert query("SELECT state FROM task") == [("SUCCESS",)]


def test_an_unreachable_database_is_unavailable_and_its_password_is_not_told() -> None:
    settings = StoreSettings(database_url="postgresql://flower:hunter2@127.0.0.1:1/flower")

    with pytest.raises(errors.Unavailable) as caught:
        Writer(settings, cluster="default").connect()

    assert "hunter2" not in str(caught.value)


def test_two_writers_of_one_cluster_agree_on_every_id(writer: Writer, settings: StoreSettings, query: Query) -> None:
    other = Writer(settings, cluster="default")
    writer.write(a_success(IDS[0], name="app.a"))

    other.write(a_success(IDS[1], name="app.a") + a_success(IDS[2], name="app.b"))
    writer.write(a_success(IDS[3], name="app.b"))
    other.close()

    assert query("SELECT n.name, count(*) FROM task t JOIN task_name n ON n.id = t.name_id GROUP BY 1 ORDER BY 1") == [
        ("app.a", 2),
        ("app.b", 2),
    ]


def test_the_same_task_id_in_two_clusters_is_two_tasks(writer: Writer, settings: StoreSettings, query: Query) -> None:
    other = Writer(settings, cluster="staging")
    writer.write(a_success(IDS[0]))

    other.write([an_event("failed", task_id=IDS[0], exception="E()")])
    other.close()

    assert query("SELECT slug, state FROM task JOIN cluster c ON c.id = cluster_id ORDER BY 1") == [
        ("default", "SUCCESS"),
        ("staging", "FAILURE"),
    ]


def test_set_aside_messages_are_kept_with_their_reason_and_cut(writer: Writer, query: Query) -> None:
    message = SetAside(
        received_at=NOON, reason="not_json", detail="nul \0 in it", routing_key="task.multi", content_type="x",
        body=b"\0" * (SET_ASIDE_BODY + 1),
    )  # fmt: skip

    writer.write([], [], [message])

    assert query("SELECT reason, detail, length(body) FROM set_aside") == [("not_json", "nul ␀ in it", SET_ASIDE_BODY)]


def test_only_the_newest_records_of_set_aside_input_outlive_a_trim(writer: Writer, query: Query) -> None:
    writer.write([], aside=[_aside(str(number)) for number in range(5)])

    trimmed = (writer.trim_set_aside(2), writer.trim_set_aside(2))

    assert trimmed == (3, 0)
    assert query("SELECT detail FROM set_aside ORDER BY id") == [("3",), ("4",)]


def test_a_collector_can_ask_whether_another_one_lives(writer: Writer) -> None:
    me, other = (Instance(uuid_of(word), "host", 1, "3", "") for word in ("me", "other"))
    never = writer.last_beat()

    writer.beat(me, stored=0, aside=0, lag=None)
    known = writer.last_beat()
    assert known is not None
    alone = collectors.others_may_run(writer, me.id, known=known)
    writer.beat(other, stored=0, aside=0, lag=None)
    found = writer.last_beat()
    assert found is not None

    assert never is None
    assert not alone
    assert [collectors.others_may_run(writer, me.id, known=moment) for moment in (known, found)] == [False, True]


def test_only_one_collector_leads_a_cluster_until_it_resigns(writer: Writer, settings: StoreSettings) -> None:
    elsewhere = Writer(settings, cluster="staging")
    one, other = uuid4(), uuid4()

    first = [leadership.try_lead(writer, who) for who in (one, one, other)]
    there = leadership.try_lead(elsewhere, other)
    leadership.resign(writer, other)
    still = leadership.try_lead(writer, other)
    leadership.resign(writer, one)
    then = leadership.try_lead(writer, other)

    assert first == [True, True, False]
    assert there
    assert (still, then) == (False, True)
    elsewhere.close()


def test_a_leader_that_renews_its_lease_no_more_is_followed(writer: Writer, query: Query) -> None:
    leadership.try_lead(writer, uuid4())
    query("UPDATE leader SET until = now() - interval '1 microsecond' RETURNING 1")

    assert leadership.try_lead(writer, uuid4())


def test_partitions_are_made_ahead_and_take_over_what_the_default_held(writer: Writer, query: Query) -> None:
    writer.write([an_event("started", task_id=IDS[0]), *a_success(IDS[1], 86_400)])

    made = writer.ensure_partitions(NOON)
    again = writer.ensure_partitions(NOON)

    assert made == [f"{table}_202611{day}" for table in partitions.PARTITIONED for day in (19, 20, 21, 22, 23)]
    assert again == []
    assert query("SELECT tableoid::regclass::text, count(*) FROM task_event GROUP BY 1 ORDER BY 1") == [
        ("task_event_20261120", 1),
        ("task_event_20261121", 4),
    ]


def test_a_clock_far_off_lands_in_the_default_partition(writer: Writer, query: Query) -> None:
    writer.ensure_partitions(NOON)

    writer.write([an_event("started", 10 * 365 * 86_400, task_id=IDS[0])])

    assert query("SELECT tableoid::regclass::text FROM task_event") == [("task_event_default",)]


def test_the_newest_heartbeat_wins_and_a_goodbye_ends_it(writer: Writer, query: Query) -> None:
    alive = "SELECT hostname, alive_until > now() FROM worker"
    writer.write([], [factories.a_heartbeat(4), factories.a_heartbeat(2, freq=60)])
    beating = query(alive), query("SELECT heartbeat_at, freq FROM worker")

    writer.write([], [factories.a_heartbeat(6, kind="offline")])
    gone = query(alive)
    writer.write([], [factories.a_heartbeat(5)])
    late = query(alive)
    writer.write([], [factories.a_heartbeat(7, kind="online")])

    assert beating == ([("celery@a", True)], [(NOON + timedelta(seconds=4), 2.0)])
    assert gone == late == [("celery@a", False)]
    assert query(alive) == [("celery@a", True)]
    assert query("SELECT type FROM worker_event ORDER BY at") == [("worker-offline",), ("worker-online",)]


def test_a_worker_that_falls_silent_is_logged_as_lost_once(writer: Writer, query: Query) -> None:
    writer.write([], [factories.a_heartbeat(0)])
    query("UPDATE worker SET alive_until = now() - interval '1 second' RETURNING 1")

    marked = (writer.mark_lost_workers(), writer.mark_lost_workers())

    assert marked == (1, 0)
    assert query("SELECT type FROM worker_event") == [("worker-lost",)]


def test_who_answers_an_inspection_is_alive_without_heartbeats(writer: Writer, query: Query) -> None:
    writer.write_replies({"celery@quiet": {"stats": {"pid": 7}}}, silence=timedelta(seconds=90))

    assert query("SELECT hostname, alive_until > now() + interval '80 s' FROM worker") == [("celery@quiet", True)]
    assert query("SELECT method, reply FROM worker_reply") == [("stats", {"pid": 7})]


def _aside(detail: str) -> SetAside:
    return SetAside(
        received_at=NOON, reason="not_json", detail=detail, routing_key="", content_type="", body=b"",
    )  # fmt: skip


def test_collectors_that_make_partitions_at_once_do_not_collide(settings: StoreSettings) -> None:
    writers = [Writer(settings, cluster="default") for _ in range(4)]
    for writer in writers:
        writer.connect()

    with ThreadPoolExecutor() as pool:
        made = list(pool.map(Writer.ensure_partitions, writers, repeat(NOON)))

    names = [name for names in made for name in names if name.startswith("task_event")]
    assert sorted(names) == [f"task_event_202611{day}" for day in range(19, 24)]
    for writer in writers:
        writer.close()


def test_who_sends_heartbeats_is_judged_by_them_though_it_answered_an_inspection(writer: Writer, query: Query) -> None:
    now = datetime.now(UTC)
    beat = msgspec.structs.replace(factories.a_heartbeat(0), at=now)
    writer.write([], [beat])

    writer.write_replies({"celery@a": {"stats": {}}}, silence=timedelta(seconds=90))

    assert query("SELECT alive_until < now() + interval '11 s', alive_until > now() FROM worker") == [(True, True)]


def test_starting_again_and_again_takes_no_number_of_a_cluster(settings: StoreSettings, query: Query) -> None:
    for transport in ("redis", "redis", "amqp"):
        writer = Writer(settings, cluster="default", transport=transport)
        writer.connect()
        writer.close()

    assert query("SELECT id, transport FROM cluster") == [(1, "amqp")]
    assert query("SELECT last_value FROM cluster_id_seq") == [(1,)]
