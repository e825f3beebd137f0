"""Control beside Flower 2.2.0, on the same broker with the same worker: status, type and body of each answer.

What is to differ is listed here with what each of them says, and in docs/flower-compat.md with the reason.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.api import serving
from tests.e2e.collecting import CollectorProcess
from tests.services.flower2 import StartFlower2
from tests.services.workers import StartWorker, Worker
from tests.waiting import eventually

from flower_store.settings import StoreSettings

W = "{w}"
PATIENCE = 20
"""Times that a worker is asked again that did not reply in time."""
TEXT, JSON = "text/plain; charset=UTF-8", "application/json; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Pair:
    """Both, and the worker that they share."""

    ours: httpx.Client
    flower: httpx.Client
    worker: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `ours` and `flower` are status and text where the two are to differ."""

    path: str
    params: dict[str, str] = field(default_factory=dict)
    body: Any = None
    method: str = "POST"
    form: bool = False
    ours: tuple[int, str] | None = None
    flower: tuple[int, str] | None = None

    def send(self, client: httpx.Client, worker: str) -> httpx.Response:
        given = {name: value.replace(W, worker) for name, value in self.params.items()}
        where: dict[str, Any] = {"data": given} if self.form else {"params": given}
        if isinstance(self.body, str):
            where["content"] = self.body
        elif self.body is not None:
            where["json"] = self.body
        return client.request(self.method, self.path.replace(W, quote(worker, safe="@")), **where)


ADD, FAIL = "tests.add", "tests.fail"
TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d %H:%M:%S.%f}"
UNKNOWN = "00000000-0000-4000-8000-000000000000"

SAME = (
    Ask("/api/worker/pool/grow/{w}"),
    Ask("/api/worker/pool/grow/{w}", {"n": "2"}),
    Ask("/api/worker/pool/grow/{w}", {"n": " 1 "}, form=True),
    Ask("/api/worker/pool/grow/{w}", {"n": "two"}),
    Ask("/api/worker/pool/grow/{w}", {"n": ""}),
    Ask("/api/worker/pool/grow/celery@nobody"),
    Ask("/api/worker/pool/shrink/celery@nobody"),
    Ask("/api/worker/pool/autoscale/{w}", {"min": "1", "max": "3"}),
    Ask("/api/worker/pool/autoscale/{w}", {"min": "1"}),
    Ask("/api/worker/pool/autoscale/{w}", {"min": "1", "max": "x"}),
    Ask("/api/worker/pool/autoscale/celery@nobody"),
    Ask("/api/worker/pool/restart/{w}"),
    Ask("/api/worker/pool/restart/celery@nobody"),
    Ask("/api/worker/queue/add-consumer/{w}", {"queue": "new"}),
    Ask("/api/worker/queue/add-consumer/{w}", {"queue": "new"}, form=True),
    Ask("/api/worker/queue/add-consumer/{w}"),
    Ask("/api/worker/queue/add-consumer/celery@nobody", {"queue": "new"}),
    Ask("/api/worker/queue/cancel-consumer/{w}", {"queue": "new"}),
    Ask("/api/worker/queue/cancel-consumer/{w}", {"queue": "never-there"}),
    Ask("/api/worker/queue/cancel-consumer/{w}"),
    Ask("/api/worker/shutdown/celery@nobody"),
    Ask(f"/api/task/revoke/{UNKNOWN}"),
    Ask("/api/task/revoke/any/text is an id"),
    Ask(f"/api/task/revoke/{UNKNOWN}", {"terminate": "true", "signal": "SIGKILL"}),
    Ask(f"/api/task/revoke/{UNKNOWN}", {"terminate": "no"}, form=True),
    Ask(f"/api/task/revoke/{UNKNOWN}", {"terminate": "maybe"}),
    Ask(f"/api/task/timeout/{ADD}", {"workername": W, "soft": "30", "hard": "100"}, form=True),
    Ask(f"/api/task/timeout/{ADD}", {"workername": W, "hard": "100.5"}),
    Ask(f"/api/task/timeout/{ADD}", {"hard": "100"}),
    Ask(f"/api/task/timeout/{ADD}", {"workername": W, "soft": "long"}),
    Ask(f"/api/task/timeout/{ADD}", {"workername": "celery@nobody", "soft": "1"}),
    Ask("/api/task/timeout/nobody.knows", {"workername": W, "soft": "1"}),
    Ask(f"/api/task/rate-limit/{ADD}", {"workername": W, "ratelimit": "10/m"}, form=True),
    Ask(f"/api/task/rate-limit/{ADD}", {"workername": W, "ratelimit": "200"}),
    Ask(f"/api/task/rate-limit/{ADD}", {"workername": W, "ratelimit": "0"}),
    Ask(f"/api/task/rate-limit/{ADD}", {"workername": W, "ratelimit": "often"}),
    Ask(f"/api/task/rate-limit/{ADD}", {"workername": W}),
    Ask(f"/api/task/rate-limit/{ADD}", {"ratelimit": "1"}),
    Ask("/api/task/rate-limit/nobody.knows", {"workername": W, "ratelimit": "1"}),
    Ask(f"/api/task/rate-limit/{ADD}", {"workername": "celery@nobody", "ratelimit": "1"}),
    Ask(f"/api/task/send-task/{ADD}", body={"args": [1, 2]}),
    Ask(f"/api/task/send-task/{ADD}", body={"args": [1], "kwargs": {"y": 2}, "queue": "celery", "priority": 3}),
    Ask("/api/task/send-task/nobody.knows", body={"queue": "nobody-reads"}),
    Ask("/api/task/send-task/nobody.knows", body={"queue": "nobody-reads", "task_id": "my own id"}),
    Ask(f"/api/task/send-task/{ADD}", body="nope"),
    Ask(f"/api/task/send-task/{ADD}", body='{"args": [1, 2'),
    Ask(f"/api/task/send-task/{ADD}", body="[]"),
    Ask(f"/api/task/send-task/{ADD}", body={"args": "12"}),
    Ask(f"/api/task/async-apply/{ADD}", body={"args": [1, 2]}),
    Ask(f"/api/task/async-apply/{ADD}", body={"args": [1, 2], "countdown": "0.1"}),
    Ask(f"/api/task/async-apply/{ADD}", body={"args": [1, 2], "expires": TOMORROW}),
    Ask(f"/api/task/async-apply/{ADD}", body={"args": [1, 2], "expires": 60}),
    Ask(f"/api/task/async-apply/{ADD}", body={"args": [1, 2], "eta": "tomorrow"}),
    Ask(f"/api/task/async-apply/{ADD}", body={"args": [1, 2], "countdown": "soon"}),
    Ask(f"/api/task/async-apply/{ADD}", body={"args": [1, 2], "expires": "never"}),
    Ask("/api/task/async-apply/nobody.knows", body={}),
    Ask(f"/api/task/apply/{ADD}", body={"args": [1, 2]}),
    Ask(f"/api/task/apply/{ADD}", body={"args": [1, 2], "timeout": 30}),
    Ask(f"/api/task/apply/{FAIL}", body={"args": [7]}),
    Ask("/api/task/apply/tests.slow", body={"args": [2], "timeout": 0.2}),
    Ask(f"/api/task/apply/{ADD}", body={"args": [1, 2], "timeout": "long"}),
    Ask("/api/task/apply/nobody.knows", body={}),
    Ask(f"/api/task/result/{UNKNOWN}", method="GET"),
    Ask("/api/task/result/done", method="GET"),
    Ask("/api/task/result/done", {"timeout": "5"}, method="GET"),
    Ask("/api/task/result/failed", method="GET"),
    Ask("/api/task/result/failed", {"timeout": "5"}, method="GET"),
    Ask(f"/api/task/result/{UNKNOWN}", {"timeout": "0.2"}, method="GET"),
    Ask("/api/task/result/done", {"timeout": "long"}, method="GET"),
    Ask("/api/task/abort/to-be-aborted"),
    Ask("/api/task/result/to-be-aborted", method="GET"),
    Ask("/api/worker/shutdown/{w}", method="GET"),
    Ask("/api/task/result/done", method="POST"),
)

RESIZED = (
    Ask("/api/worker/pool/grow/{w}", {"n": "9"}),
    Ask("/api/worker/pool/shrink/{w}"),
    Ask("/api/worker/pool/shrink/{w}", {"n": "2"}, form=True),
)
"""Last, because a task that a process of a shrinking pool holds is lost, and whoever waits for it waits for ever."""

DIFFERENT = (
    Ask(
        "/api/worker/queue/add-consumer/{w}",
        {"queue": "a&b"},
        ours=(200, '{"message":"add consumer a&b"}'),
        flower=(200, '{"message": "add consumer a&amp;b"}'),
    ),
    Ask(
        f"/api/task/timeout/{ADD}",
        {"workername": W},
        ours=(400, "Missing argument soft or hard"),
        flower=(200, '{"message": "time limits set successfully"}'),
    ),
    Ask(
        f"/api/task/timeout/{ADD}",
        {"workername": W, "soft": "20", "hard": "10"},
        ours=(400, "soft: must not be more than hard: a worker would refuse every task of the name"),
        flower=(200, '{"message": "time limits set successfully"}'),
    ),
    Ask(
        "/api/worker/pool/grow/{w}",
        {"n": "-1"},
        ours=(400, "n: must be at least 1"),
        flower=(200, """{"message": "Growing 'celery@one#two' worker's pool by -1"}"""),
    ),
    Ask(
        f"/api/task/send-task/{ADD}",
        body={"args": [1, 2], "queue": 5},
        ours=(400, "queue: must be a text that is not empty"),
        flower=(500, ""),
    ),
    Ask(
        f"/api/task/send-task/{ADD}",
        body={"args": [1, 2], "countdown": "soon"},
        ours=(400, "countdown: must be a number of seconds"),
        flower=(500, ""),
    ),
    Ask(
        f"/api/task/revoke/{UNKNOWN}",
        {"terminate": "1", "signal": "SIGNONSENSE"},
        ours=(400, "Invalid signal 'SIGNONSENSE'"),
        flower=(200, f"""{{"message": "Revoked '{UNKNOWN}'"}}"""),
    ),
    Ask(
        f"/api/task/send-task/{ADD}",
        body={"kwargs": [1]},
        ours=(400, "kwargs must be an object"),
        flower=(500, ""),
    ),
    Ask(
        f"/api/task/send-task/{ADD}",
        body={"args": [1, 2], "connection": "amqp://elsewhere"},
        ours=(400, "Invalid option 'connection'"),
        flower=(500, ""),
    ),
    Ask(
        f"/api/task/async-apply/{ADD}",
        body={"eta": 12},
        ours=(400, "Invalid option"),
        flower=(500, ""),
    ),
    Ask(
        f"/api/task/send-task/{ADD}",
        body={"args": [1, 2], "expires": "never"},
        ours=(400, "expires: must be a number of seconds, or a time such as 2026-12-31T12:00:00+00:00"),
        flower=(500, ""),
    ),
)


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def worker(broker: str, redis_url: str, start_worker: StartWorker) -> Worker:
    return start_worker(broker, result_backend=redis_url, hostname="celery@one#two")


@pytest.fixture
def collector(tmp_path: Path, broker: str, redis_url: str, database_url: str) -> Iterator[CollectorProcess]:
    collector = CollectorProcess(
        tmp_path, broker_url=broker, database_url=database_url, settings={"FLOWER_RESULT_BACKEND": redis_url}
    )
    collector.start()
    yield collector
    collector.kill()


@pytest.fixture
def pair(broker: str, redis_url: str, database_url: str, worker: Worker, start_flower2: StartFlower2) -> Iterator[Pair]:
    with serving.client(StoreSettings(database_url=database_url)) as ours:
        ours.timeout = httpx.Timeout(60)
        flower = start_flower2(broker, result_backend=redis_url, worker=worker.hostname)
        yield Pair(ours, flower, worker.hostname)


def resized(pair: Pair, ask: Ask) -> str:
    """The difference, asked for again while a pool that has just grown calls all of its processes busy."""
    found = ""

    def told() -> bool:
        nonlocal found
        found = difference(pair, ask)
        return "All processes busy" not in found

    eventually(told)
    return found


@pytest.mark.usefixtures("collector")
def test_every_answer_is_flowers_or_differs_as_said(pair: Pair, worker: Worker) -> None:
    eventually(lambda: "registered" in pair.ours.get("/api/workers").json().get(worker.hostname, {}))
    for name, task, args in (("done", ADD, [2, 3]), ("failed", FAIL, [1])):
        pair.flower.post(f"/api/task/apply/{task}", json={"args": args, "task_id": name})

    differences = [found for ask in (*SAME, *DIFFERENT) if (found := difference(pair, ask))]
    differences += [found for ask in RESIZED if (found := resized(pair, ask))]

    assert not differences, "\n".join(differences)
    assert not difference(pair, Ask("/api/worker/shutdown/{w}"))
    eventually(lambda: not worker.running)


def test_without_a_result_backend_both_say_so(
    tmp_path: Path, redis_url: str, database_url: str, start_worker: StartWorker, start_flower2: StartFlower2
) -> None:
    worker = start_worker(redis_url)
    collector = CollectorProcess(tmp_path, broker_url=redis_url, database_url=database_url)
    collector.start()
    try:
        with serving.client(StoreSettings(database_url=database_url)) as ours:
            pair = Pair(ours, start_flower2(redis_url, result_backend=None, worker=worker.hostname), worker.hostname)
            asks = (
                Ask(f"/api/task/result/{UNKNOWN}", method="GET"),
                Ask(f"/api/task/abort/{UNKNOWN}"),
                Ask(f"/api/task/send-task/{ADD}", body={"args": [1, 2]}),
            )

            differences = [found for ask in asks if (found := difference(pair, ask))]

            assert not differences, "\n".join(differences)
            eventually(lambda: ADD in ours.get("/api/task/types").json()["task-types"])
            applied = Ask(f"/api/task/apply/{ADD}", body={"args": [1, 2]}).send(ours, worker.hostname)
            assert (applied.status_code, applied.text) == (503, "")
    finally:
        collector.kill()


def difference(pair: Pair, ask: Ask) -> str:
    """What differs between the two, or from what is said of them; nothing where nothing does."""
    flower, ours = (answer(client, ask, pair.worker) for client in (pair.flower, pair.ours))
    if ask.ours and ask.flower:
        good = (flower.status_code, flower.text) == ask.flower and (ours.status_code, ours.text) == ask.ours
    else:
        good = comparable(flower) == comparable(ours)
    if good:
        return ""
    told = "\n".join(f"  {one.status_code} {one.headers.get('content-type')} {one.text}" for one in (flower, ours))
    return f"{ask.method} {ask.path} {ask.params or ask.body}\n{told}"


def answer(client: httpx.Client, ask: Ask, worker: str) -> httpx.Response:
    """Its answer. Flower waits for a worker a second and we five, and it may take longer on a loaded machine."""
    found = ask.send(client, worker)
    for _ in range(PATIENCE):
        if not late(found):
            break
        found = ask.send(client, worker)
    return found


def late(found: httpx.Response) -> bool:
    return found.status_code == 202 or "Unknown reason" in found.text


def comparable(answer: httpx.Response) -> tuple[int, str, object]:
    """Status, type and body; without what chance has made, and without Flower's type of a refusal (differs)."""
    kind = answer.headers.get("content-type", "")
    if kind == JSON:
        return answer.status_code, kind, without_chance(answer.json())
    if answer.status_code == 405:
        return 405, "", ""
    return answer.status_code, TEXT if answer.text else "", answer.text


def without_chance(document: dict[str, Any]) -> dict[str, Any]:
    shown = list(document.items())
    return {name: _CHANCE.get(name, lambda value: value)(value) for name, value in shown}


_CHANCE: dict[str, Callable[[Any], Any]] = {
    "task-id": lambda value: "an id" if len(value) == 36 and value != UNKNOWN else value,
    # A worker may have taken it before it was asked for.
    "state": lambda value: "PENDING" if value in {"PENDING", "STARTED", "SUCCESS"} else value,
}
