"""T23: a worker in a container is process 1 each time it starts, and may keep its name: a new life, not the old one.

A process namespace of its own is what a container is in this respect.
"""

import subprocess
from collections.abc import Callable

import pytest
from tests.e2e.collecting import CollectorProcess
from tests.faults.conftest import Query
from tests.services import celery_app
from tests.services.workers import StartWorker, Worker
from tests.waiting import eventually

pytestmark = pytest.mark.faults

TASKS = 60
CONTAINED = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
AS_NOBODY_SPECIAL = (*CONTAINED, "--user", "--map-root-user")
SEEN = "SELECT count(*) FROM task_event WHERE type = 3"
AUDITED = """
SELECT pid, incarnation, sum(processed)::int, sum(missing)::int FROM completeness GROUP BY 1, 2 ORDER BY 1, 2
"""

StartCollector = Callable[[str], CollectorProcess]


@pytest.fixture
def contained() -> tuple[str, ...]:
    """The words that give a command a process namespace of its own."""
    refusal = ""
    for words in (CONTAINED, AS_NOBODY_SPECIAL):
        try:
            subprocess.run([*words, "true"], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            refusal = getattr(error, "stderr", None) or str(error)
        else:
            return words
    pytest.skip(f"no process namespace can be made here: {refusal.strip()}")


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_worker_that_starts_again_as_process_1_of_the_same_name_is_audited_anew(
    *,
    contained: tuple[str, ...],
    rabbitmq_url: str,
    start_collector: StartCollector,
    start_worker: StartWorker,
    query: Query,
    pool: str,
) -> None:
    def start() -> Worker:
        return start_worker(rabbitmq_url, hostname="same@here", options=("--pool", pool), prefix=contained)

    start_collector(rabbitmq_url)
    worker = start()
    send(rabbitmq_url, TASKS)
    eventually(lambda: query(AUDITED) == [(1, 1, TASKS, 0)])

    worker.kill()
    start()
    # More than before: its count alone does not tell the lives apart in the end.
    send(rabbitmq_url, 2 * TASKS)

    eventually(lambda: query(AUDITED) == [(1, 1, TASKS, 0), (1, 2, 2 * TASKS, 0)])
    assert query(SEEN) == [(3 * TASKS,)]


def send(broker_url: str, number: int) -> None:
    client = celery_app.client(broker_url)
    for one in range(number):
        client.send_task("tests.add", (one, 1))
    client.close()
