"""Two collectors that write the same tasks at the same time, in opposite orders."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.store import recount
from tests.store.conftest import Query

from flower_store import database
from flower_store.events import TaskEvent
from flower_store.factories import an_event, uuid_of
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

TASKS = [str(uuid_of(f"task {number}")) for number in range(2_000)]
ROUNDS = 10


@pytest.mark.service
def test_they_wait_for_each_other_and_never_for_ever(settings: StoreSettings, query: Query) -> None:
    """Locked in the order of arrival instead of the key's, they ended in a deadlock."""
    together = threading.Barrier(2)

    def write(worker: str, tasks: list[str]) -> None:
        writer = Writer(settings, cluster="default")
        try:
            writer.connect()
            for second in range(ROUNDS):
                together.wait()
                writer.write([_event(task, second, worker) for task in tasks])
        finally:
            together.abort()
            writer.close()

    with ThreadPoolExecutor() as pool:
        done = [pool.submit(write, "celery@a", TASKS), pool.submit(write, "celery@b", TASKS[::-1])]
        for one in done:
            one.result()

    assert query("SELECT count(*) FROM task_event") == [(2 * ROUNDS * len(TASKS),)]
    with database.connect_driver(settings) as connection:
        assert recount.differences(connection) == []


def _event(task: str, second: int, worker: str) -> TaskEvent:
    return an_event("progress", second, task_id=task, worker=worker, step=second)
