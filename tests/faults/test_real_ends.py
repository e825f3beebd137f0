"""T24 and T25: real tasks of real workers that end without a word, by force or elsewhere, and what is shown."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.collecting import CollectorProcess
from tests.faults import real_tasks
from tests.faults.conftest import Query
from tests.services import celery_app
from tests.services.workers import StartWorker, Worker
from tests.waiting import eventually

pytestmark = pytest.mark.faults

PATIENCE = 120.0
STATE = "SELECT state FROM task WHERE key = %s"
MARK = "SELECT kind, reason FROM task_mark WHERE key = %s"
MARKS = "SELECT kind, reason FROM task_mark WHERE key = ANY(%s::uuid[])"
PROCESSES = "SELECT count(*) FROM process p JOIN worker w ON w.id = p.worker_id WHERE w.hostname = 'one@here'"
RUNS = """
SELECT w.hostname FROM task_event e JOIN task t ON t.id = e.task_id JOIN worker w ON w.id = e.worker_id
WHERE e.type = 3 AND t.key = %s ORDER BY e.at
"""
ENDED_BY = "SELECT state, hostname FROM task t JOIN worker w ON w.id = t.succeeded_worker_id WHERE t.key = %s"

Send = Callable[..., str]


@pytest.fixture
def result_backend(redis_url: str) -> str:
    return redis_url.removesuffix("/0") + "/1"


@pytest.fixture
def client(rabbitmq_url: str) -> Iterator[Any]:
    client = celery_app.client(rabbitmq_url)
    yield client
    client.close()


@pytest.fixture
def send(client: Any) -> Send:
    def send(name: str, **options: object) -> str:
        task_id: str = client.send_task(name, **options).id
        return task_id

    return send


@pytest.fixture
def collector(tmp_path: Path, rabbitmq_url: str, database_url: str) -> Iterator[CollectorProcess]:
    # What a backend knows is looked up only of tasks that have rested for a while; here the events speak alone.
    collector = CollectorProcess(
        tmp_path, broker_url=rabbitmq_url, database_url=database_url, settings={"FLOWER_RECONCILE_RATE": "0"}
    )
    collector.start()
    yield collector
    collector.kill()


@pytest.fixture
def start(start_worker: StartWorker, rabbitmq_url: str, result_backend: str) -> Callable[[str], Worker]:
    def start(hostname: str) -> Worker:
        return start_worker(rabbitmq_url, result_backend=result_backend, app=real_tasks.__name__, hostname=hostname)

    return start


@pytest.mark.usefixtures("collector")
def test_a_task_of_a_killed_worker_is_lost_until_another_runs_it_again(
    send: Send, start: Callable[[str], Worker], query: Query
) -> None:
    first = start("one@here")
    task = send("tests.long_the_first_time")
    eventually(lambda: query(STATE, task) == [("STARTED",)])

    first.kill()
    eventually(lambda: query(MARK, task) == [("lost", "worker_gone")], within=PATIENCE)
    start("two@here")

    eventually(lambda: query(ENDED_BY, task) == [("SUCCESS", "two@here")])
    assert query(RUNS, task) == [("one@here",), ("two@here",)]
    eventually(lambda: query(MARK, task) == [])


@pytest.mark.usefixtures("collector")
def test_real_tasks_that_end_without_success_are_shown_as_what_became_of_them(
    client: Any, send: Send, start: Callable[[str], Worker], query: Query
) -> None:
    start("one@here")

    expected = {
        send("tests.reject"): "FAILURE",
        send("tests.too_long"): "FAILURE",
        send("tests.add", args=(1, 2), expires=datetime.now(UTC) - timedelta(minutes=1)): "REVOKED",
    }
    waiting = send("tests.add", args=(1, 2), countdown=3_600)
    eventually(lambda: query(STATE, waiting) == [("RECEIVED",)])
    client.control.revoke(waiting)
    eventually(lambda: states(query, expected) == expected)
    endless = send("tests.endless")
    eventually(lambda: query(STATE, endless) == [("STARTED",)])
    client.control.revoke(endless, terminate=True, signal="SIGKILL")

    eventually(lambda: query(STATE, endless) == [("REVOKED",)])
    assert query("SELECT kind FROM task_mark") == []


@pytest.mark.usefixtures("collector")
def test_a_real_task_that_raises_ignore_is_marked_as_ended_unseen(
    send: Send, start: Callable[[str], Worker], query: Query
) -> None:
    start("one@here")

    task = send("tests.ignore")
    eventually(lambda: query(STATE, task) == [("STARTED",)])

    eventually(lambda: query(MARK, task) == [("ended_unseen", "worker_idle")])


@pytest.mark.usefixtures("collector")
def test_real_tasks_that_were_ignored_stay_ended_when_their_worker_stops_and_starts_again(
    send: Send, start: Callable[[str], Worker], query: Query
) -> None:
    ended = [("ended_unseen", "worker_idle")] * 3
    worker = start("one@here")
    tasks = [send("tests.ignore") for _ in range(3)]
    eventually(lambda: query(MARKS, tasks) == ended, within=PATIENCE)

    worker.stop()
    # A task that another worker loses later: when it is marked, these were looked at again.
    other = start("two@here")
    lost = send("tests.endless")
    eventually(lambda: query(STATE, lost) == [("STARTED",)])
    other.kill()
    eventually(lambda: query(MARK, lost) == [("lost", "worker_gone")], within=PATIENCE)
    gone = query(MARKS, tasks)
    start("one@here")
    eventually(lambda: query(PROCESSES) == [(2,)])
    start("two@here")
    eventually(lambda: query(MARK, lost) == [("lost", "worker_restarted")], within=PATIENCE)

    assert (gone, query(MARKS, tasks)) == (ended, ended)


def states(query: Query, tasks: dict[str, str]) -> dict[str, str]:
    return dict(query("SELECT key::text, state FROM task WHERE key = ANY(%s::uuid[])", list(tasks)))
