"""Marks on tasks on which nobody seems to work, and how they go again."""

from datetime import timedelta

import psycopg
import pytest
from tests.store.conftest import Query

from flower_store import completeness, marks, notices
from flower_store.events import WorkerEvent
from flower_store.factories import a_heartbeat, a_success, an_event
from flower_store.marks import Limits, Place
from flower_store.writes import Writer

NOW = timedelta(0)
LIMITS = Limits(lost_after=NOW, unseen_after=NOW, stuck_after=timedelta(hours=1), overdue_after=timedelta(minutes=1))
MARKS = "SELECT kind, reason FROM task_mark JOIN task USING (cluster_id, key) ORDER BY id_text"
GONE = "UPDATE worker SET alive_until = now() - interval '1 second' RETURNING 1"
BACK = "UPDATE worker SET alive_until = now() + interval '1 minute' RETURNING 1"
NEVER = timedelta(days=10_000)
TASK = "one"


def look(writer: Writer, *, limits: Limits = LIMITS, most: int = 5_000) -> None:
    place: Place | None = Place()
    while place is not None:
        place = marks.sweep(writer, place, limits, most=most)


def running(writer: Writer) -> None:
    """A task that was received at second 1 and started at second 2, clock 20, by a worker that lives."""
    received = an_event("received", 1, task_id=TASK, clock=10, name="app.add")
    started = an_event("started", 2, task_id=TASK, clock=20)
    writer.write([received, started], [a_heartbeat(3, clock=30, active=1, processed=1)])


def test_a_task_started_on_a_worker_that_is_gone_is_lost(writer: Writer, query: Query) -> None:
    running(writer)
    look(writer)
    before = query(MARKS)

    query(GONE)
    look(writer)

    assert (before, query(MARKS)) == ([], [("lost", "worker_gone")])


def test_a_worker_that_comes_back_unmarks_its_tasks(writer: Writer, query: Query) -> None:
    running(writer)
    query(GONE)
    look(writer)
    marked = query(MARKS)

    query(BACK)
    look(writer)

    assert (marked, query(MARKS)) == ([("lost", "worker_gone")], [])


def test_a_task_that_another_worker_starts_again_is_unmarked(writer: Writer, query: Query) -> None:
    running(writer)
    query(GONE)
    look(writer)

    writer.write(
        [an_event("started", 60, task_id=TASK, worker="celery@b", clock=70)], [a_heartbeat(61, worker="celery@b")]
    )
    look(writer)

    assert query(MARKS) == []


def test_a_task_that_ends_after_all_is_forgotten(writer: Writer, query: Query) -> None:
    running(writer)
    query(GONE)
    look(writer)

    writer.write([an_event("succeeded", 5, task_id=TASK, clock=50)])
    look(writer)

    assert query(MARKS) == []


def test_a_worker_of_which_nobody_knows_is_not_gone(writer: Writer, query: Query) -> None:
    writer.write([an_event("started", 2, task_id=TASK, clock=20)])

    look(writer)

    assert query(MARKS) == []


@pytest.mark.parametrize("pid", [1, 2], ids=["under the same pid", "under another pid"])
def test_a_task_of_a_worker_that_was_restarted_is_lost(writer: Writer, query: Query, pid: int) -> None:
    running(writer)
    restarted = a_heartbeat(20, kind="online", clock=1, pid=pid)
    writer.write([], [restarted, a_heartbeat(22, clock=9, pid=pid)])
    completeness.audit(writer, grace=NOW)

    look(writer)

    assert query(MARKS) == [("lost", "worker_restarted")]


def test_two_processes_under_one_name_make_no_task_lost(writer: Writer, query: Query) -> None:
    running(writer)
    writer.write([], [a_heartbeat(20, clock=5, pid=2), a_heartbeat(40, clock=300, active=1, processed=1)])
    completeness.audit(writer, grace=NOW)

    look(writer)

    assert query(MARKS) == []


def test_a_run_of_a_process_that_is_idle_since_has_ended_unseen(writer: Writer, query: Query) -> None:
    running(writer)
    look(writer)
    before = query(MARKS)

    writer.write([], [a_heartbeat(5, clock=50, active=0, processed=1)])
    look(writer)
    at_once = query(MARKS)
    completeness.audit(writer, grace=NOW)
    look(writer)

    assert (before, at_once) == ([], [("ended_unseen", "worker_idle")])
    assert query(MARKS) == at_once


def idle(writer: Writer, *, pid: int = 1) -> None:
    """The task began, and its process has nothing to do any more: so it has ended."""
    running(writer)
    writer.write([], [a_heartbeat(5, clock=50, active=0, processed=1, pid=pid)])


@pytest.mark.parametrize("audited", [True, False])
def test_what_is_proved_to_have_ended_is_not_lost_when_its_worker_goes(
    writer: Writer, query: Query, audited: bool
) -> None:
    idle(writer)
    if audited:
        completeness.audit(writer, grace=NOW)

    query(GONE)
    look(writer)

    assert query(MARKS) == [("ended_unseen", "worker_idle")]


@pytest.mark.parametrize("pid", [1, 2], ids=["under the same pid", "under another pid"])
@pytest.mark.parametrize("processed", [0, 1])
def test_what_is_proved_to_have_ended_is_not_lost_when_its_worker_is_restarted(
    writer: Writer, query: Query, pid: int, processed: int
) -> None:
    idle(writer)
    look(writer)
    completeness.audit(writer, grace=NOW)
    restarted = a_heartbeat(20, kind="online", clock=1, pid=pid)
    writer.write([], [restarted, a_heartbeat(22, clock=9, pid=pid, active=processed, processed=processed)])

    for _ in range(2):
        look(writer)
        completeness.audit(writer, grace=NOW)

    assert query(MARKS) == [("ended_unseen", "worker_idle")]


def test_what_is_proved_to_have_ended_stays_so_when_its_process_is_forgotten(writer: Writer, query: Query) -> None:
    idle(writer)
    completeness.audit(writer, grace=NOW)
    look(writer)

    query("DELETE FROM process RETURNING 1")
    query(GONE)
    look(writer)

    assert query(MARKS) == [("ended_unseen", "worker_idle")]


@pytest.mark.parametrize(
    "beats",
    [
        [a_heartbeat(20, kind="online", clock=40), a_heartbeat(22, clock=60)],
        [a_heartbeat(22, clock=60, processed=0)],
    ],
    ids=["which said that it came", "whose count fell"],
)
def test_the_idleness_of_a_later_process_under_the_same_pid_proves_nothing(
    writer: Writer, query: Query, beats: list[WorkerEvent]
) -> None:
    running(writer)
    completeness.audit(writer, grace=NOW)
    writer.write([], beats)

    look(writer)
    before = query(MARKS)
    completeness.audit(writer, grace=NOW)
    look(writer)

    assert (before, query(MARKS)) == ([], [("lost", "worker_restarted")])


@pytest.mark.parametrize(
    "beat", [a_heartbeat(1.5, clock=15), a_heartbeat(9, clock=50, pid=2), a_heartbeat(9, clock=50, worker="celery@b")]
)
def test_an_idle_heartbeat_of_before_or_of_another_process_ends_nothing(
    writer: Writer, query: Query, beat: WorkerEvent
) -> None:
    running(writer)
    writer.write([], [beat])

    look(writer)

    assert query(MARKS) == []


def test_a_task_received_by_a_worker_that_is_gone_is_stuck(writer: Writer, query: Query) -> None:
    writer.write([an_event("received", 1, task_id=TASK)], [a_heartbeat(2)])
    query(GONE)

    look(writer, limits=Limits(lost_after=NOW, stuck_after=NEVER))

    assert query(MARKS) == [("stuck", "worker_gone")]


def test_a_task_received_long_ago_is_stuck_unless_it_waits_for_its_time(writer: Writer, query: Query) -> None:
    writer.write(
        [an_event("received", 1, task_id="a"), an_event("received", 1, task_id="b", eta="2199-01-01T00:00:00+00:00")],
        [a_heartbeat(2)],
    )

    look(writer)

    assert query(MARKS) == [("stuck", "received_long_ago")]


@pytest.mark.parametrize("kind", ["sent", "received"])
def test_a_task_whose_time_has_passed_is_overdue(writer: Writer, query: Query, kind: str) -> None:
    writer.write([an_event(kind, 1, task_id=TASK, eta="2026-11-20T12:00:30+00:00")], [a_heartbeat(2)])

    look(writer)
    marked = query(MARKS)
    look(writer, limits=Limits(overdue_after=NEVER, stuck_after=NEVER))

    assert (marked, query(MARKS)) == ([("overdue", "eta_passed")], [])


def test_tasks_that_ended_or_only_wait_in_a_queue_are_not_marked(writer: Writer, query: Query) -> None:
    writer.write([*a_success("a"), an_event("sent", task_id="b")], [a_heartbeat(9)])
    query(GONE)

    look(writer)

    assert query(MARKS) == []


def test_a_sweep_in_pieces_looks_at_every_task_once(writer: Writer, query: Query) -> None:
    for number in range(7):
        writer.write([an_event("started", number // 3, task_id=f"t{number}", clock=number + 1)])
    writer.write([], [a_heartbeat(0)])
    query(GONE)

    look(writer, most=2)

    assert query(MARKS) == [("lost", "worker_gone")] * 7


def test_a_mark_that_changes_is_announced_and_a_look_that_changes_nothing_is_not(
    writer: Writer, query: Query, database_url: str
) -> None:
    running(writer)
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {notices.CHANNEL}")

        look(writer)
        quiet = list(listener.notifies(timeout=0.2))
        query(GONE)
        look(writer)
        marked = list(listener.notifies(timeout=5, stop_after=1))
        look(writer)
        again = list(listener.notifies(timeout=0.2))
        query(BACK)
        look(writer)
        unmarked = list(listener.notifies(timeout=5, stop_after=1))

    assert [len(heard) for heard in (quiet, marked, again, unmarked)] == [0, 1, 0, 1]
    assert marked[0].payload == str(writer.cluster_id)


def test_every_mark_has_a_sentence() -> None:
    assert {kind for kind, _ in marks.SENTENCES} == set(marks.KINDS)
    assert marks.sentence("new", "of_a_newer_build") == "New: of a newer build."
