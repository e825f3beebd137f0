"""Error groups as they are written: one row a fingerprint, bounded, and each failure counted once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from tests.store import recount
from tests.store.conftest import Query

from flower_store import errors, reconciling
from flower_store.dimensions import OVERFLOW, Bounds
from flower_store.events import TaskEvent
from flower_store.factories import NOON, an_event
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

MOST = 3
GROUPS = "SELECT exception, message, count FROM error_group ORDER BY exception"


def task_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def failure(number: int, exception: str = "E('1')", second: float = 0, *, worker: str = "celery@a") -> TaskEvent:
    return an_event("failed", second, task_id=task_id(number), worker=worker, exception=exception, traceback=None)


@pytest.fixture
def bounded(settings: StoreSettings) -> Iterator[Writer]:
    writer = Writer(settings, cluster="default", bounds=Bounds(groups=MOST))
    yield writer
    writer.close()


def test_a_flood_of_errors_that_differ_costs_one_row_past_the_bound(
    bounded: Writer, query: Query, database_url: str
) -> None:
    overflowed = 0
    for start in range(0, 1_000, 250):
        batch = [failure(number, f"E{number}()", number) for number in range(start, start + 250)]
        overflowed += bounded.write(batch).overflowed.get("group", 0)

    counts: dict[object, Any] = {exception: count for exception, _, count in query(GROUPS)}
    assert (len(counts), counts[OVERFLOW], sum(counts.values())) == (MOST + 1, 1_000 - MOST, 1_000)
    assert overflowed == 1_000 - MOST
    with psycopg.connect(database_url) as connection:
        assert recount.differences(connection) == []


def test_collectors_that_write_the_same_failures_at_once_make_one_group_and_count_each_once(
    settings: StoreSettings, query: Query, database_url: str
) -> None:
    events = [failure(number, f"E{number % 7}('{number}')", number) for number in range(300)]
    writers = [Writer(settings, cluster="default") for _ in range(3)]

    def work(number: int) -> None:
        for start in range(0, len(events), 30):
            batch = events[start : start + 30]
            writers[number].write(batch if number % 2 else batch[::-1])

    with ThreadPoolExecutor() as pool:
        list(pool.map(work, range(len(writers))))
    for writer in writers:
        writer.close()

    assert query("SELECT count(*), sum(count) FROM error_group") == [(7, 300)]
    with psycopg.connect(database_url) as connection:
        assert recount.differences(connection) == []


def test_a_task_has_the_group_of_its_last_failure_whatever_came_first(writer: Writer, query: Query) -> None:
    events = [failure(1, "Early()", 1), failure(1, "Late()", 2)]

    writer.write(events[::-1])
    writer.write(events[:1])

    found = "SELECT g.exception FROM task t JOIN error_group g ON g.id = t.failed_group_id"
    assert query(found) == [("Late",)]
    assert query(GROUPS) == [("Early", "", 1), ("Late", "", 1)]


def test_a_group_of_a_batch_that_did_not_come_through_has_no_times(writer: Writer, query: Query) -> None:
    with pytest.raises(errors.Rejected):
        writer.write([failure(1), an_event("received", 1, task_id=task_id(1), name="app.add", args="\0")])

    assert query("SELECT first_at, last_at, count FROM error_group") == [(None, None, 0)]


def test_what_a_result_backend_knew_has_a_group_and_counts_no_event(
    writer: Writer, query: Query, database_url: str
) -> None:
    started = (an_event("started", 0, task_id=task_id(number)) for number in (1, 2, 3))
    writer.write([failure(9, "E('of 1')", 5), *started])
    candidates = {one.task_id: one for one in reconciling.candidates(writer, after=timedelta(0), most=10)}
    at = NOON + timedelta(hours=1)
    outcomes = [
        reconciling.Outcome(state="FAILURE", done_at=at, result="E('of 2')"),
        reconciling.Outcome(state="FAILURE", done_at=at, result="Other()"),
        reconciling.Outcome(state="SUCCESS", done_at=at, result="1"),
    ]

    looked = [candidates[task_id(number)] for number in (1, 2, 3)]
    closed = reconciling.keep(writer, looked, [(one.key, end) for one, end in zip(looked, outcomes, strict=True)])

    grouped = query(
        "SELECT g.exception, g.count, g.last_at FROM task t JOIN error_group g ON g.id = t.found_group_id ORDER BY key"
    )
    assert closed == 3
    assert grouped == [("E", 1, at), ("Other", 0, at)]
    with psycopg.connect(database_url) as connection:
        assert recount.differences(connection) == []
