"""The audit of real workers on Redis, whose publish/subscribe keeps nothing: it equals the truth."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.collector.conftest import Query
from tests.services import celery_app
from tests.services.workers import StartWorker
from tests.waiting import eventually

from flower_collector.service import Collector

pytestmark = pytest.mark.slow

TASKS = 200
LOADED = 1_500
SEEN = "SELECT count(*) FROM task_event WHERE type = 3"
AUDITED = "SELECT coalesce(sum(processed), 0)::int, coalesce(sum(missing), 0)::int FROM completeness"
LOST = "SELECT missing, cause, ended_at - began_at FROM completeness WHERE missing > 0"
PROMPT = {"audit_grace": timedelta(seconds=1)}


@pytest.fixture
def result_backend(redis_url: str) -> str:
    return redis_url.removesuffix("/0") + "/1"


@pytest.fixture
def send(redis_url: str, result_backend: str) -> Iterator[Callable[[int], Callable[[], bool]]]:
    """Send so many tasks; gives whether all of them have succeeded, as the result backend knows."""
    client = celery_app.client(redis_url, result_backend)

    def send(number: int) -> Callable[[], bool]:
        sent = [client.send_task("tests.slow", (0.005,)).id for _ in range(number)]

        def succeeded() -> bool:
            found: list[Any] = client.backend.client.mget([client.backend.get_key_for_task(each) for each in sent])
            return all(each and b'"SUCCESS"' in each for each in found)

        return succeeded

    yield send
    client.close()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--pool", "prefork"], id="prefork"),
        pytest.param(["--pool", "threads", "--without-gossip"], id="threads"),
        pytest.param(["--pool", "solo"], id="solo"),
    ],
)
def test_nothing_is_missing_of_a_whole_run(
    *,
    options: list[str],
    redis_url: str,
    result_backend: str,
    start_collector: Callable[..., Collector],
    start_worker: StartWorker,
    send: Callable[[int], Callable[[], bool]],
    query: Query,
) -> None:
    start_collector(redis_url, **PROMPT)
    start_worker(redis_url, result_backend=result_backend, options=options)

    eventually(send(TASKS))

    eventually(lambda: query(AUDITED) == [(TASKS, 0)])
    assert query(SEEN) == [(TASKS,)]


def test_what_was_started_while_the_collector_was_away_is_counted_exactly(
    *,
    redis_url: str,
    result_backend: str,
    start_collector: Callable[..., Collector],
    start_worker: StartWorker,
    send: Callable[[int], Callable[[], bool]],
    query: Query,
) -> None:
    collector = start_collector(redis_url, **PROMPT)
    start_worker(redis_url, result_backend=result_backend)
    eventually(lambda: query("SELECT count(*) FROM process_beat") != [(0,)])

    succeeded = send(LOADED)
    eventually(lambda: query(SEEN)[0][0] > LOADED / 10)
    collector.stop()
    away = celery_app.client(redis_url)
    done = started(away)
    eventually(lambda: started(away) > done + LOADED / 10)
    away.close()
    start_collector(redis_url, **PROMPT)
    eventually(succeeded)

    eventually(lambda: query(AUDITED)[0][0] == LOADED)
    # The gap may be recorded after the audit has come by: a cause is looked for again.
    eventually(lambda: {cause for _, cause, _ in query(LOST)} == {"collector_away"})
    ((seen,),) = query(SEEN)
    lost = query(LOST)
    assert sum(missing for missing, _, _ in lost) == LOADED - seen > 0
    assert len(lost) == 1


def started(client: Any) -> int:
    """How many tasks the worker says it has started."""
    answers = client.control.inspect(timeout=1).stats() or {}
    return sum(sum(stats["total"].values()) for stats in answers.values())
