"""T21 and T22: workers whose clocks are wrong, and workers far away. What they send is kept as they say it."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.collecting import CollectorProcess
from tests.faults.conftest import Query
from tests.services import celery_app, workers
from tests.services.workers import StartWorker
from tests.waiting import eventually

pytestmark = pytest.mark.faults

StartCollector = Callable[[str], CollectorProcess]
TASKS = 20
ENDS = Counter({"SUCCESS": 2 * TASKS, "FAILURE": TASKS})
STATES = "SELECT state, count(*) FROM task GROUP BY 1"


def clock(directory: Path, seconds: float) -> dict[str, str]:
    """The variables of a process whose clock is so far ahead; Python reads sitecustomize before all else."""
    directory.mkdir()
    text = f"import time\n_true = time.time\ntime.time = lambda: _true() + {seconds}\n"
    (directory / "sitecustomize.py").write_text(text)
    path = workers.environment("")["PYTHONPATH"]
    return {"PYTHONPATH": os.pathsep.join([str(directory), path])}


def send(broker_url: str) -> None:
    app: Any = celery_app.client(broker_url)
    for number in range(TASKS):
        app.send_task("tests.add", (number, 1))
        app.send_task("tests.fail", (number,))
        app.send_task("tests.retry_then_succeed", (2,))


@pytest.mark.parametrize("skew", [5, 3600])
def test_tasks_end_in_their_true_states_though_one_clock_is_ahead_and_one_behind(
    *,
    tmp_path: Path,
    rabbitmq_url: str,
    start_collector: StartCollector,
    start_worker: StartWorker,
    query: Query,
    skew: int,
) -> None:
    start_collector(rabbitmq_url)
    start_worker(rabbitmq_url, hostname="ahead@here", variables=clock(tmp_path / "ahead", skew))
    start_worker(rabbitmq_url, hostname="behind@here", variables=clock(tmp_path / "behind", -skew))

    send(rabbitmq_url)

    eventually(lambda: Counter(dict(query(STATES))) == ENDS)
    lags: dict[str, float] = dict(
        query("SELECT hostname, avg(lag) FROM task_event JOIN worker w ON w.id = worker_id GROUP BY 1")
    )
    assert lags["ahead@here"] < lags["behind@here"] - 1.5 * skew


def test_times_of_a_worker_in_another_time_zone_are_not_moved(
    rabbitmq_url: str, start_collector: StartCollector, start_worker: StartWorker, query: Query
) -> None:
    start_collector(rabbitmq_url)
    start_worker(rabbitmq_url, variables={"TZ": "Asia/Tokyo"})

    send(rabbitmq_url)

    eventually(lambda: Counter(dict(query(STATES))) == ENDS)
    # The smallest time zone is a quarter of an hour away, and no event waits for that long.
    assert query("SELECT max(abs(lag)) < 900 FROM task_event") == [(True,)]
    assert query("SELECT utcoffset FROM worker") == [(-9.0,)]
