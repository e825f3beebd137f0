"""The completeness audit: what a process says it started, against what was seen of it."""

from collections.abc import Iterable
from datetime import timedelta
from random import Random

import pytest
from tests.store.conftest import Query

from flower_store import completeness, factories, intervals, losses
from flower_store.events import TaskEvent, WorkerEvent
from flower_store.factories import NOON, a_heartbeat, an_event
from flower_store.writes import Writer

AT_ONCE = timedelta(0)
ALWAYS = timedelta(days=10_000)
ROWS = "SELECT processed, seen, missing, cause FROM completeness ORDER BY incarnation, clock_from"
OFF = """
SELECT ended_at - started_at, detail, (SELECT sum(missing)::integer FROM completeness WHERE gap_id = gap.id) FROM gap
WHERE reason = 'events_off'
"""
AGAIN = "UPDATE completeness SET checked_at = now() - interval '1 day' RETURNING 1"


def starts(clocks: Iterable[int], *, base: float = 0, pid: int = 1, worker: str = "celery@a") -> list[TaskEvent]:
    """A task-started event at each of these clocks; a clock is a tenth of a second."""
    return [
        an_event(
            "started", base + clock / 10, task_id=f"{worker}-{pid}-{base}-{clock}", clock=clock, pid=pid, worker=worker
        )
        for clock in clocks
    ]


def beat(clock: int, processed: int, *, base: float = 0, pid: int = 1, kind: str = "heartbeat") -> WorkerEvent:
    return a_heartbeat(base + clock / 10, clock=clock, processed=processed, pid=pid, kind=kind)


def test_a_process_of_which_all_was_seen_is_one_whole_row(writer: Writer, query: Query) -> None:
    writer.write(starts([11, 15, 22]), [beat(10, 0), beat(20, 2), beat(30, 3), beat(40, 3)])

    completeness.audit(writer, grace=AT_ONCE)

    assert query(ROWS) == [(3, 3, 0, None)]


def test_starts_that_were_not_seen_are_counted_where_they_were_lost(writer: Writer, query: Query) -> None:
    writer.write(starts([11, 12, 31]), [beat(10, 0), beat(20, 5), beat(30, 5), beat(40, 6)])

    audited = completeness.audit(writer, grace=AT_ONCE)

    assert audited.missing == 3
    assert query(ROWS) == [(5, 2, 3, losses.UNKNOWN), (1, 1, 0, None)]


def test_an_interval_that_a_gap_lies_over_says_why(writer: Writer, query: Query) -> None:
    writer.record_gap(NOON + timedelta(seconds=2), NOON + timedelta(seconds=6), reason=losses.COLLECTOR_AWAY)
    writer.write([], [beat(10, 0), beat(70, 9)])

    completeness.audit(writer, grace=AT_ONCE)

    assert query(ROWS) == [(9, 0, 9, losses.COLLECTOR_AWAY)]
    assert query("SELECT count(*) FROM completeness JOIN gap ON gap.id = gap_id") == [(1,)]


def test_a_worker_that_sends_no_task_events_is_told_apart_from_a_loss(writer: Writer, query: Query) -> None:
    writer.write([], [beat(clock, clock) for clock in (10, 20, 30, 40)])

    completeness.audit(writer, grace=AT_ONCE)

    assert query(ROWS) == [(30, 0, 30, losses.EVENTS_OFF)]
    assert query(OFF) == [(timedelta(seconds=3), "celery@a", 30)]


def test_where_heartbeats_are_missing_too_a_worker_is_not_said_to_send_no_task_events(
    writer: Writer, query: Query
) -> None:
    writer.write([], [beat(10, 0), beat(90, 150)])  # eight seconds, where it beats every two
    completeness.audit(writer, grace=AT_ONCE)
    first = query(ROWS)

    query(AGAIN)
    completeness.audit(writer, grace=AT_ONCE, again_for=ALWAYS)

    assert first == query(ROWS) == [(150, 0, 150, losses.UNKNOWN)]
    assert query(OFF) == []


def test_the_time_without_task_events_is_one_gap_of_all_workers_as_long_as_it_lasts(
    writer: Writer, query: Query
) -> None:
    for clock in range(10, 200, 10):
        beats = [a_heartbeat(clock / 10, clock=clock, processed=clock, worker=f"celery@{name}") for name in "ab"]
        writer.write([], beats)
        completeness.audit(writer, grace=AT_ONCE)

    assert query(OFF) == [(timedelta(seconds=18), "several workers", 360)]


def test_a_gap_of_a_worker_whose_events_came_late_goes(writer: Writer, query: Query) -> None:
    writer.write([], [beat(10, 0), beat(20, 2)])
    completeness.audit(writer, grace=AT_ONCE)
    before = query(OFF)

    writer.write(starts([12, 13]))
    query("UPDATE completeness SET checked_at = now() - interval '1 day', received_to = now() RETURNING 1")
    completeness.audit(writer, grace=AT_ONCE, again_for=ALWAYS)

    assert before == [(timedelta(seconds=1), "celery@a", 2)]
    assert query("SELECT * FROM gap") == []


def test_heartbeats_in_any_order_and_twice_in_any_batches_give_the_same_rows(writer: Writer, query: Query) -> None:
    random = Random(3)
    beats = [beat(clock, clock // 10) for clock in range(10, 300, 10)] * 2
    random.shuffle(beats)

    for part in range(0, len(beats), 7):
        writer.write([], beats[part : part + 7])
    writer.write(starts(clock + 5 for clock in range(10, 290, 10)))
    completeness.audit(writer, grace=AT_ONCE)
    writer.write([], beats)
    completeness.audit(writer, grace=AT_ONCE)

    assert query(ROWS) == [(28, 28, 0, None)]


def test_rounds_go_on_where_the_last_one_ended(writer: Writer, query: Query) -> None:
    for clock in range(10, 200, 10):
        writer.write(starts([clock + 5]), [beat(clock, clock // 10)])
        completeness.audit(writer, grace=AT_ONCE)

    assert query(ROWS) == [(18, 18, 0, None)]
    assert query("SELECT count(*) FROM process_beat") == [(0,)]


def test_nothing_is_audited_before_its_grace_is_over(writer: Writer, query: Query) -> None:
    writer.write([], [beat(10, 0), beat(20, 5)])

    audited = completeness.audit(writer, grace=timedelta(minutes=1))

    assert (audited.beats, query(ROWS)) == (0, [])


def test_events_that_come_late_correct_what_was_missing(writer: Writer, query: Query) -> None:
    writer.write(starts([11]), [beat(10, 0), beat(20, 3)])
    completeness.audit(writer, grace=AT_ONCE)
    before = query(ROWS)

    writer.write(starts([12, 13]))
    query(AGAIN)
    audited = completeness.audit(writer, grace=AT_ONCE, again_for=ALWAYS)

    assert before == [(3, 1, 2, losses.UNKNOWN)]
    assert (audited.corrected, query(ROWS)) == (1, [(3, 3, 0, None)])


def test_what_the_result_backend_told_before_the_audit_counts_as_repaired(writer: Writer, query: Query) -> None:
    writer.write([an_event("received", 1.5, task_id="t", worker="celery@a")], [beat(10, 0), beat(20, 3)])
    query(f"UPDATE task SET found_state = 'SUCCESS', found_at = '{NOON + timedelta(seconds=1.8)}' RETURNING 1")

    completeness.audit(writer, grace=AT_ONCE)

    assert query("SELECT missing, repaired FROM completeness") == [(3, 1)]


def test_a_restart_under_the_same_name_and_pid_begins_anew(writer: Writer, query: Query) -> None:
    first = [beat(10, 0), beat(20, 2), beat(30, 4)]
    second = [beat(1, 0, base=60, kind="online"), beat(15, 1, base=60), beat(25, 3, base=60)]
    writer.write(starts([12, 13, 22, 23]) + starts([12, 16, 17], base=60), first + second)

    completeness.audit(writer, grace=AT_ONCE)

    assert query(ROWS) == [(4, 4, 0, None), (3, 3, 0, None)]
    assert query("SELECT incarnation FROM process") == [(2,)]


def test_coming_online_again_after_a_lost_connection_is_no_restart(writer: Writer, query: Query) -> None:
    writer.write(starts([11, 21]), [beat(10, 5), beat(20, 6, kind="online"), beat(30, 7)])

    completeness.audit(writer, grace=AT_ONCE)

    assert query(ROWS) == [(2, 2, 0, None)]


@pytest.mark.parametrize("lost", [0, 5], ids=["the worker's", "a stranger's"])
def test_a_clock_that_was_clamped_makes_no_loss(writer: Writer, query: Query, lost: int) -> None:
    poisoned = [beat(0, 99), beat(0, 120)]
    writer.write(starts([11, 12]) + starts([0], base=3), [beat(10, 0), beat(20, 2), *poisoned])
    writer.write([], [a_heartbeat(1e6 + second, clock=0, processed=second) for second in range(lost)])

    completeness.audit(writer, grace=AT_ONCE)

    assert query(ROWS) == [(2, 2, 0, None)]


def test_a_clock_of_the_far_future_stops_no_audit(writer: Writer, query: Query) -> None:
    writer.write([], [beat(10, 0), beat(20, 0)])
    writer.write([], [a_heartbeat(10 * 365 * 86_400, clock=2**62, processed=2**60, pid=7)])
    writer.write([], [a_heartbeat(-40 * 365 * 86_400, clock=1, processed=1, pid=7)])

    completeness.audit(writer, grace=AT_ONCE)
    writer.write([], [beat(30, 0)])
    completeness.audit(writer, grace=AT_ONCE)

    assert query(ROWS) == [(0, 0, 0, None)]


def test_a_start_that_was_told_a_heartbeat_too_late_is_not_missing(writer: Writer, query: Query) -> None:
    """A thread may be interrupted between counting a task and telling of it."""
    writer.write(starts([21, 22]), [beat(10, 0), beat(20, 1), beat(30, 2)])

    completeness.audit(writer, grace=AT_ONCE)

    assert query("SELECT sum(missing)::int FROM completeness") == [(0,)]


def test_the_same_start_delivered_twice_is_one(writer: Writer, query: Query) -> None:
    started = starts([11])
    writer.write(started, [beat(10, 0)])
    writer.write(started, [beat(20, 2)])

    completeness.audit(writer, grace=AT_ONCE)

    assert query(ROWS) == [(2, 1, 1, losses.UNKNOWN)]


def test_processes_of_one_name_are_audited_apart(writer: Writer, query: Query) -> None:
    writer.write(starts([11], pid=1) + starts([12], pid=2), [beat(c, c // 20, pid=p) for p in (1, 2) for c in (10, 20)])

    completeness.audit(writer, grace=AT_ONCE)

    assert query("SELECT pid, processed, seen FROM completeness ORDER BY 1") == [(1, 1, 1), (2, 1, 1)]


def test_a_worker_with_a_wrong_clock_widens_no_others_reading() -> None:
    _, right = intervals.follow(1, 1, None, [_bare(0, 1), _bare(2, 2)])
    _, wrong = intervals.follow(2, 1, None, [_bare(3600, 1), _bare(3602, 2)])

    assert intervals.ranges(wrong + right) == [right, wrong]


def test_of_a_worker_with_many_processes_the_last_ones_are_known_and_the_others_counted(
    writer: Writer, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completeness, "MOST_PROCESSES", 3)
    writer.write([], [beat(10, 0, pid=1)])
    writer.write([], [a_heartbeat(1, clock=10, processed=0, pid=1, worker="celery@b")])
    writer.write([], [beat(10 + pid, 0, pid=pid) for pid in range(2, 7)])

    audited = completeness.audit(writer, grace=AT_ONCE)

    assert audited.forgotten == 3
    assert query("SELECT hostname, p.pid FROM process p JOIN worker ON worker.id = worker_id ORDER BY 1, 2") == [
        ("celery@a", 4), ("celery@a", 5), ("celery@a", 6), ("celery@b", 1),
    ]  # fmt: skip


def test_what_was_audited_long_ago_is_forgotten(writer: Writer, query: Query) -> None:
    writer.write([], [beat(10, 0), beat(20, 0)])
    completeness.audit(writer, grace=AT_ONCE)

    completeness.prune(writer, kept=timedelta(days=-400))

    assert query("SELECT (SELECT count(*) FROM completeness), (SELECT count(*) FROM process)") == [(0, 0)]


def _bare(second: float, clock: int) -> intervals.Beat:
    at = factories.NOON + timedelta(seconds=second)
    return intervals.Beat(at, clock, 0, 0, False, at)
