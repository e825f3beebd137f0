"""Commands are executed at most once, and never late, whoever is killed in the middle.

What is executed is a message in a queue that nobody reads, under an id of its own: the broker counts.
"""

import json
import logging
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.collector import proxy
from tests.collector.asking import Asker, published
from tests.faults import killing, nemesis, scene
from tests.faults.api_process import ApiProcess
from tests.faults.nemesis import Fault, Nemesis
from tests.faults.scene import Scene
from tests.services import celery_app
from tests.waiting import eventually

from flower_store.settings import StoreSettings

log = logging.getLogger(__name__)

QUEUE = "counted"
TAKE, FINISH = b"UPDATE command SET claimed_at", b"UPDATE command SET ended_at"
STRIKES = 25


@pytest.fixture
def stage(tmp_path: Path, rabbitmq_url: str) -> Iterator[Scene]:
    with scene.collectors(tmp_path, rabbitmq_url, number=2) as stage:
        # Each test says when the second one runs.
        stage.members[1].process.stop()
        yield stage


@pytest.fixture
def ask(stage: Scene) -> Asker:
    return Asker(StoreSettings(database_url=stage.database.url))


@pytest.fixture
def api(tmp_path: Path, stage: Scene) -> Iterator[ApiProcess]:
    process = ApiProcess(tmp_path, database_url=stage.database.url)
    process.start()
    yield process
    process.kill()


@pytest.fixture
def sent(rabbitmq_url: str) -> Callable[[], Counter[str]]:
    """How often each task was sent so far, by id; asked at the broker."""
    seen: Counter[str] = Counter()

    def ask() -> Counter[str]:
        with celery_app.client(rabbitmq_url).connection_for_read() as connection:
            queue = connection.SimpleQueue(QUEUE)
            with suppress(queue.Empty):
                while True:
                    message = queue.get_nowait()
                    message.ack()
                    seen[message.headers["id"]] += 1
            queue.close()
        return seen

    return ask


def issue(ask: Asker, task_id: str, *, expires: timedelta = timedelta(minutes=1)) -> int:
    target = {"name": "tests.add", "task": task_id}
    return ask.issue("send_task", target=target, payload=published([1, 2], queue=QUEUE), expires=expires).id


def test_a_collector_killed_before_its_claim_is_committed_leaves_the_command_to_another(
    stage: Scene, ask: Asker, sent: Callable[[], Counter[str]]
) -> None:
    first, second = stage.members
    first.database.breaks_before = killing.at(first, b"COMMIT", after=TAKE)

    number = issue(ask, "once")
    eventually(lambda: not first.process.running)
    second.process.start()

    eventually(lambda: ask.read(number).status == "done")
    assert sent() == {"once": 1}


def test_a_collector_killed_after_its_claim_leaves_a_command_that_nobody_executes(
    stage: Scene, ask: Asker, sent: Callable[[], Counter[str]]
) -> None:
    first, second = stage.members
    first.database.breaks_at_answer = killing.when(first, lambda data: killing.COMMITTED in data and claimed(stage))

    number = issue(ask, "never")
    eventually(lambda: not first.process.running)
    second.process.start()

    eventually(lambda: ask.read(number).status == "unknown")
    another_is_executed(ask)
    assert sent() == {"another": 1}


def test_a_collector_killed_before_it_tells_the_end_leaves_an_unknown_outcome_and_nothing_is_done_twice(
    stage: Scene, ask: Asker, sent: Callable[[], Counter[str]]
) -> None:
    first, second = stage.members
    first.database.breaks_before = killing.at(first, b"COMMIT", after=FINISH)

    number = issue(ask, "once")
    eventually(lambda: not first.process.running)
    second.process.start()

    eventually(lambda: ask.read(number).status == "unknown")
    another_is_executed(ask)
    assert sent() == {"once": 1, "another": 1}


def test_a_claim_of_which_its_collector_never_heard_is_told_as_not_executed(
    stage: Scene, ask: Asker, sent: Callable[[], Counter[str]]
) -> None:
    first = stage.members[0]
    broken = threading.Event()

    def unheard(data: bytes) -> bool:
        due = killing.COMMITTED in data and not broken.is_set() and claimed(stage)
        if due:
            broken.set()
        return due

    first.database.breaks_at_answer = unheard
    number = issue(ask, "never")

    assert broken.wait(60)
    eventually(lambda: ask.read(number).status == "failed")
    assert (ask.read(number).reply or {})["cause"] == "untaken"
    another_is_executed(ask)
    assert sent() == {"another": 1}


def test_an_end_that_the_database_does_not_take_is_told_when_it_is_back(
    stage: Scene, ask: Asker, sent: Callable[[], Counter[str]]
) -> None:
    first = stage.members[0]
    refusals = iter([True, True, True])
    first.database.breaks_before = lambda data: FINISH in data and next(refusals, False)

    number = issue(ask, "once")

    eventually(lambda: ask.read(number).status == "done")
    assert next(refusals, None) is None
    assert sent() == {"once": 1}


def test_a_database_that_crashes_while_a_command_runs_hears_of_its_end(
    stage: Scene, ask: Asker, sent: Callable[[], Counter[str]]
) -> None:
    first = stage.members[0]
    finishing = threading.Event()

    def held(data: bytes) -> bool:
        if FINISH in data and not finishing.is_set():
            finishing.set()
            return True
        return False

    first.database.breaks_before = held
    number = issue(ask, "once")
    assert finishing.wait(60)

    stage.database.crash()
    stage.start_database()

    after = Asker(StoreSettings(database_url=stage.database.url))
    eventually(lambda: after.read(number).status == "done")
    assert sent() == {"once": 1}


def test_a_command_whose_time_is_over_is_never_executed(
    stage: Scene, ask: Asker, sent: Callable[[], Counter[str]]
) -> None:
    first = stage.members[0]
    first.process.pause()

    number = issue(ask, "late", expires=timedelta(seconds=0.5))
    eventually(lambda: ask.read(number).status == "expired")
    first.process.resume()

    another_is_executed(ask)
    assert ask.read(number).status == "expired"
    assert sent() == {"another": 1}


def test_a_request_that_no_collector_takes_is_told_so_and_withdrawn(
    stage: Scene, ask: Asker, api: ApiProcess, sent: Callable[[], Counter[str]]
) -> None:
    first = stage.members[0]
    first.process.pause()

    answer = httpx.post(f"{api.address}/api/task/send-task/tests.add", json={"queue": QUEUE}, timeout=60)
    first.process.resume()

    assert answer.status_code == 503
    assert "nothing was done and nothing will be" in answer.text
    another_is_executed(ask)
    assert sent() == {"another": 1}


def test_two_collectors_share_commands_and_execute_each_once(
    stage: Scene, ask: Asker, sent: Callable[[], Counter[str]]
) -> None:
    stage.members[1].process.start()
    for member in stage.members:
        member.process.pause()
    names = [f"task-{number}" for number in range(60)]
    numbers = [issue(ask, name) for name in names]
    for member in stage.members:
        member.process.resume()

    eventually(lambda: all(ask.read(number).status == "done" for number in numbers))
    assert sent() == dict.fromkeys(names, 1)
    takers = stage.database.query("SELECT count(DISTINCT claimed_by) FROM command")
    assert takers == [(2,)]


def test_an_api_killed_while_it_waits_changes_nothing(
    stage: Scene, ask: Asker, api: ApiProcess, sent: Callable[[], Counter[str]]
) -> None:
    first = stage.members[0]
    first.process.pause()
    asking = threading.Thread(target=post, args=(api.address, "once"))
    asking.start()
    eventually(lambda: stage.database.query("SELECT 1 FROM command"))

    api.kill()
    first.process.resume()
    asking.join()

    eventually(lambda: stage.database.query("SELECT 1 FROM command WHERE outcome = 'done'"))
    assert sent() == {"once": 1}
    assert ask.read(1).target == {"name": "tests.add", "task": "once"}


@pytest.mark.faults
def test_through_kills_of_api_collectors_and_database_every_command_is_executed_at_most_once(
    tmp_path: Path, stage: Scene, sent: Callable[[], Counter[str]], chance: random.Random
) -> None:
    """And what is told of each is true."""
    stage.members[1].process.start()
    line = proxy.to(stage.database.url)
    api = ApiProcess(tmp_path, database_url=line.url(stage.database.url))
    api.start()
    over, asked = threading.Event(), list[str]()
    asking = [threading.Thread(target=keep_asking, args=(api.address, asked, over)) for _ in range(3)]
    harm = Nemesis(faults(stage, api, line, chance), chance, haste=2)
    try:
        for one in asking:
            one.start()
        for _ in range(STRIKES):
            harm.strike()
    finally:
        over.set()
        for one in asking:
            one.join()
        api.kill()
    stage.heal()

    told = eventually(lambda: outcomes(stage))
    counted = sent()
    log.info("asked %d, told %s, sent %d", len(asked), Counter(told.values()), len(counted))
    assert set(counted.values()) == {1}
    assert {name for name, status in told.items() if status == "done"} <= counted.keys()
    assert not {name for name, status in told.items() if status in {"failed", "expired"}} & counted.keys()
    assert Counter(told.values())["done"] > 0


def faults(stage: Scene, api: ApiProcess, line: Any, chance: random.Random) -> list[Fault]:
    def healed() -> None:
        stage.heal()
        line.lead_to(stage.database.url)

    def api_again() -> None:
        api.start()

    harm = [*nemesis.of_collectors(stage, chance), *nemesis.of_the_database(stage, chance)]
    harm = [Fault(one.name, one.begin, healed, one.weight, one.lasts) for one in harm]
    return [*harm, Fault("the API is killed", api.kill, api_again, 6, (0.0, 0.5))]


def outcomes(stage: Scene) -> dict[str, str]:
    """What is told of each command, by its task; nothing while one may still change."""
    store = Asker(StoreSettings(database_url=stage.database.url))
    numbers = [row[0] for row in stage.database.query("SELECT id FROM command")]
    found = [store.read(number) for number in numbers]
    if any(one.status in {"waiting", "running"} for one in found):
        return {}
    return {str(one.target["task"]): one.status for one in found}


def keep_asking(address: str, asked: list[str], over: threading.Event) -> None:
    while not over.is_set():
        name = str(uuid.uuid4())
        asked.append(name)
        post(address, name)
        time.sleep(0.05)


def post(address: str, task_id: str) -> None:
    """Whatever becomes of it: the one who asks may hear nothing."""
    with suppress(httpx.TransportError):
        httpx.post(
            f"{address}/api/task/send-task/tests.add",
            content=json.dumps({"args": [1, 2], "queue": QUEUE, "task_id": task_id}),
            timeout=60,
        )


def claimed(stage: Scene) -> bool:
    """Whether a command is taken, as others see it."""
    return bool(stage.database.query("SELECT 1 FROM command WHERE claimed_at IS NOT NULL"))


def another_is_executed(ask: Asker) -> None:
    """Whatever was to be taken before it would have been taken, too."""
    number = issue(ask, "another")
    eventually(lambda: ask.read(number).status == "done")
