"""Counts are what the log says, whatever comes twice, late, or from two collectors at once."""

import math
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from prometheus_client import Histogram
from tests.store import recount
from tests.store.conftest import Query

from flower_store import counting, event_types, factories, histograms, moments
from flower_store.counting import Logged
from flower_store.events import TaskEvent
from flower_store.factories import NOON, a_success, an_event
from flower_store.settings import StoreSettings
from flower_store.writes import Writer


def task_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def stories(tasks: int) -> list[TaskEvent]:
    """Successes, failures after a retry, tasks with an ETA, two deliveries, and one type of the user's own."""
    found: list[TaskEvent] = []
    for number in range(tasks):
        second = number * 0.7
        story = a_success(task_id(number), second, name=f"app.n{number % 3}", runtime=number % 7 * 0.013)
        match number % 5:
            case 1:
                story[3] = an_event("retried", second + 3, task_id=task_id(number), exception="E()")
                story.append(an_event("failed", second + 4, task_id=task_id(number), exception="E()", traceback="t"))
            case 2:
                story[0] = an_event("sent", second, task_id=task_id(number), name="app.eta", eta="2026-11-20T13:00:00")
            case 3:
                story.append(an_event("started", second + 2.5, task_id=task_id(number), worker="celery@b"))
            case 4:
                story.append(an_event("progress", second + 2.5, task_id=task_id(number), done=0.5))
            case _:
                pass
        found += story
    return found


def differences(database_url: str) -> list[str]:
    with psycopg.connect(database_url) as connection:
        return recount.differences(connection)


def shuffled(events: Sequence[TaskEvent], seed: int) -> list[list[TaskEvent]]:
    """Batches in disorder, in which a third of the events come twice."""
    chance = random.Random(seed)
    mixed = [*events, *(event for event in events if chance.random() < 0.3)]
    chance.shuffle(mixed)
    return [mixed[start : start + 40] for start in range(0, len(mixed), 40)]


def test_every_count_is_what_the_log_says_after_disorder_and_repetition(writer: Writer, database_url: str) -> None:
    events = stories(100)

    stored = sum(writer.write(batch).stored for batch in shuffled(events, 1))

    assert stored == len(events)
    assert differences(database_url) == []


def test_collectors_that_write_the_same_events_at_once_count_each_once(
    settings: StoreSettings, database_url: str, query: Query
) -> None:
    events = stories(150)
    writers = [Writer(settings, cluster="default") for _ in range(4)]

    def work(number: int) -> int:
        return sum(writers[number].write(batch).stored for batch in shuffled(events, number))

    with ThreadPoolExecutor() as pool:
        stored = sum(pool.map(work, range(len(writers))))
    for writer in writers:
        writer.close()

    assert stored == len(events)
    assert query("SELECT count(*) FROM task_event") == [(len(events),)]
    assert differences(database_url) == []


@pytest.mark.parametrize(
    "spoiled",
    [
        "UPDATE rollup_1m SET count = count + 1 WHERE type = 'task-sent'",
        "UPDATE rollup_1h SET runtime_sum = runtime_sum + 0.000001 WHERE type = 'task-succeeded'",
        "DELETE FROM histogram_1m WHERE measure = 2",
        "UPDATE histogram_1h SET slot = slot + 1 WHERE measure = 1",
        "UPDATE rollup_1h_by SET count = count + 1 WHERE by = 1",
        "DELETE FROM histogram_1h_by WHERE by = 2",
        "UPDATE rollup_total SET count = count - 1 WHERE type = 'task-sent'",
        "DELETE FROM rollup_total_by WHERE by = 1",
        "UPDATE histogram_total SET sum = sum + 0.000001",
        "UPDATE histogram_total_by SET slot = slot + 1 WHERE by = 2",
        "UPDATE histogram_total_queue SET count = count + 1 WHERE measure = 1",
        "DELETE FROM histogram_total_queue WHERE measure = 2",
        "INSERT INTO task_event SELECT * FROM task_event LIMIT 1",
        "UPDATE error_1m SET count = count + 1",
        "UPDATE error_1h SET worker_id = worker_id + 1",
        "UPDATE error_group SET count = count + 1",
        "UPDATE error_group SET last_at = last_at + interval '1 s'",
    ],
)
def test_the_recount_sees_what_is_wrong(writer: Writer, query: Query, database_url: str, spoiled: str) -> None:
    writer.write([*a_success(task_id(1)), an_event("failed", 9, task_id=task_id(1), exception="E()")])

    query(f"WITH done AS ({spoiled} RETURNING 1) SELECT * FROM done")

    assert differences(database_url) != []


def logged(code: int, second: float, *, eta: bool = False) -> Logged:
    micros = factories.an_event("x", second).micros
    return Logged(micros, int(second), code, 7, 3, eta)


SENT = logged(event_types.SENT, 0)
RECEIVED = logged(event_types.RECEIVED, 1)
STARTED = logged(event_types.STARTED, 5)


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ([SENT, RECEIVED, STARTED], 5.0),
        ([STARTED, RECEIVED], 4.0),
        ([STARTED, logged(event_types.STARTED, 9), SENT], 5.0),
        ([logged(event_types.SENT, 8), STARTED], 0.0),
        ([SENT, RECEIVED], None),
        ([STARTED], None),
        ([logged(event_types.SENT, 0, eta=True), RECEIVED, STARTED], None),
        ([SENT, logged(event_types.RECEIVED, 3, eta=True), STARTED], 5.0),
    ],
)
def test_a_task_waits_from_its_first_sent_event_to_its_first_start(events: list[Logged], seconds: float | None) -> None:
    waited = counting.wait(events)

    assert (waited and waited.micros / moments.SECOND) == seconds
    assert counting.wait(events[::-1]) == waited


def test_a_wait_moves_when_an_earlier_event_comes_late(writer: Writer, query: Query) -> None:
    story = a_success(task_id(1))
    counted = "SELECT slot, count, sum FROM histogram_1m WHERE measure = 2 AND count > 0"

    writer.write(story[1:3])
    first = query(counted)
    writer.write(story[:1])

    assert first == [(histograms.slot(1.0), 1, 1)]
    assert query(counted) == [(histograms.slot(2.0), 1, 2)]


def test_by_queue_a_wait_counts_as_it_was_known_first_and_never_less(
    writer: Writer, query: Query, database_url: str
) -> None:
    story = a_success(task_id(1))
    counted = (
        "SELECT coalesce(q.name, ''), measure, slot, count FROM histogram_total_queue "
        "LEFT JOIN queue q ON q.id = queue_id ORDER BY measure, 1"
    )

    writer.write(story[1:3])
    writer.write([story[0], story[3]])
    writer.write(a_success(task_id(2)))
    writer.write(a_success(task_id(2)))

    assert query(counted) == [
        ("celery", histograms.RUNTIME, histograms.slot(1.0), 2),
        ("", histograms.WAIT, histograms.slot(1.0), 1),
        ("celery", histograms.WAIT, histograms.slot(2.0), 1),
    ]
    assert differences(database_url) == []


def test_run_times_fall_into_fixed_slots(writer: Writer, query: Query) -> None:
    runtimes = (0.0, 0.001, 0.0011, 1.0, 1.2, 1e9)

    writer.write([event for n, runtime in enumerate(runtimes) for event in a_success(task_id(n), runtime=runtime)])

    found = query("SELECT slot, count FROM histogram_1m WHERE measure = 1 ORDER BY slot")
    one = histograms.BOUNDS.index(1.0)
    assert found == [(0, 2), (1, 1), (one, 1), (one + 1, 1), (histograms.LAST, 1)]
    assert list(histograms.BOUNDS) == sorted(set(histograms.BOUNDS))


def test_the_usual_bounds_of_prometheus_are_slots() -> None:
    assert set(Histogram.DEFAULT_BUCKETS) - {math.inf} <= set(histograms.BOUNDS)


@pytest.mark.parametrize(
    ("seconds", "slots"),
    [(0.0005, 0), (0.001, 1), (0.0012, 1), (0.0015, 2), (1e9, histograms.LAST), (math.inf, histograms.LAST + 1)],
)
def test_slots_that_hold_nothing_longer_than_a_bound(seconds: float, slots: int) -> None:
    assert histograms.surely_within(seconds) == slots
    assert all(histograms.slot(bound) < slots for bound in histograms.BOUNDS if bound <= seconds)


def test_the_first_second_of_an_hour_counts_in_that_hour(writer: Writer, query: Query) -> None:
    writer.write([an_event("started", -0.000001, task_id=task_id(1)), an_event("started", 0, task_id=task_id(2))])

    assert query("SELECT bucket, count FROM rollup_1h ORDER BY 1") == [(NOON.replace(hour=11), 1), (NOON, 1)]


def test_a_run_time_finer_than_a_microsecond_falls_into_the_slot_of_what_it_adds(
    writer: Writer, query: Query, database_url: str
) -> None:
    """A soak of 200 faults found one in 50,000 tasks: 0.7500002739 s counted above the bound, 0.75 s in the sum."""
    writer.write(a_success(task_id(1), runtime=0.7500002739141373))

    (row,) = query("SELECT slot, sum::text FROM histogram_1m WHERE measure = 1")
    assert row == (histograms.slot(0.75), "0.750000")
    assert differences(database_url) == []
