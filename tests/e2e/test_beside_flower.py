"""Flower 2.2.0 and this one listen to the same cluster, and answer the same questions alike, key by key.

Flower comes from PyPI into an environment of its own at the first need (`bench/stage/flower2.py`). Where we differ on
purpose, `docs/flower-compat.md` says why, and the key stands in a table here.
"""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from bench.stage import flower2
from hypothesis import given
from hypothesis import strategies as st
from tests.api.test_search import asked
from tests.e2e.collecting import CollectorProcess
from tests.services import celery_app
from tests.services.rabbitmq import RabbitMQ
from tests.services.workers import StartWorker
from tests.waiting import eventually
from tests.web.serving import served

from flower_api.settings import ApiSettings
from flower_store import flower_query
from flower_store.settings import StoreSettings
from flower_web.app import create_app

pytestmark = pytest.mark.slow

TASKS: tuple[tuple[str, tuple[object, ...], dict[str, object]], ...] = (
    ("tests.add", (1, 2), {}),
    ("tests.add", (), {"x": 20, "y": 22}),
    ("tests.fail", (7,), {}),
    ("tests.nobody_knows", ("Straße", "日本"), {"who": "Ann & <Bob>"}),
    ("tests.later", (), {"n": 1}),
)
# No retries: Flower then often shows RETRY for a task that has succeeded, as events of a worker overtake each other.
ENDED = {"tests.add": "SUCCESS", "tests.fail": "FAILURE"}
OURS = {"clock", "timestamp", "retries", "parent", "parent_id", "root", "root_id", "children", "retried", "rejected"}
"""Keys in which we differ on purpose; each has its line in docs/flower-compat.md."""
INSPECTED = {"stats", "active_queues", "registered", "conf", "timestamp"}
SEARCHES = (
    "tests.add", "NAME:ADD", "state:success", "state:FAILURE OR name:later", "name:add kwargs:x=20", "kwargs:x=2",
    "args:straße", "args:STRASSE", "ann", '"Ann & <Bob>"', "'日本'", "args:日本", "result:42", "worker:worker",
    "(name:add OR name:fail) (state:SUCCESS OR state:FAILURE)", "tests -x", "ab", "state:", '"open', "tests OR", "()",
    "uuid:abc", "kwargs:who=ann", "NOT tests",
)  # fmt: skip
LISTS: tuple[Mapping[str, str], ...] = (
    {},
    {"taskname": "tests.add"},
    {"taskname": "TESTS.Add"},
    {"taskname": "All"},
    {"state": "failure"},
    {"state": "SUCCESS", "taskname": "tests.add"},
    {"workername": "nobody@x"},
    {"sort_by": "name"},
    {"sort_by": "-received"},
    {"sort_by": "started"},
    {"sort_by": "-started"},
    {"sort_by": "nonsense"},
    {"limit": "2", "sort_by": "-received"},
    {"limit": "2", "offset": "1", "sort_by": "-received"},
    {"limit": "0"},
    {"limit": "x"},
    {"offset": "x"},
    {"received_start": "2020-01-01 00:00"},
    {"received_end": "2100-01-01 00:00"},
    {"received_start": "yesterday"},
    *({"search": search} for search in SEARCHES),
)


@dataclass(frozen=True)
class Both:
    """Clients of both, and the tasks that both have seen."""

    theirs: httpx.Client
    ours: httpx.Client
    ids: frozenset[str]

    def ask(self, path: str, **arguments: str) -> tuple[httpx.Response, httpx.Response]:
        return self.theirs.get(path, params=arguments), self.ours.get(path, params=arguments)


@pytest.fixture(params=["rabbitmq_url", "redis_url"])
def broker_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def broker_api(broker_url: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """How both are told of RabbitMQ's management API, which has another port in tests; the slash is for Flower."""
    if not broker_url.startswith("amqp"):
        return {}
    node: RabbitMQ = request.getfixturevalue("rabbitmq")
    return {"FLOWER_BROKER_API": f"http://guest:guest@127.0.0.1:{node.management_port}/api/"}


@pytest.fixture
def both(
    *, tmp_path: Path, broker_url: str, broker_api: dict[str, str], database_url: str, start_worker: StartWorker
) -> Iterator[Both]:
    settings = broker_api | {"FLOWER_QUEUE_INTERVAL": "1"}
    collector = CollectorProcess(tmp_path, broker_url=broker_url, database_url=database_url, settings=settings)
    collector.start()
    app = create_app(ApiSettings(port=0), StoreSettings(database_url=database_url))
    try:
        with (
            flower2.running(broker_url, variables={"FLOWER_UNAUTHENTICATED_API": "1"} | broker_api) as flower,
            served(app) as address,
            httpx.Client(base_url=flower.address, timeout=30) as theirs,
            httpx.Client(base_url=address, timeout=30) as ours,
        ):
            worker = start_worker(broker_url)
            sent = send(broker_url)
            for client in (theirs, ours):
                eventually(lambda client=client: ended(client, sent))  # type: ignore[misc]
                eventually(lambda client=client: inspected(client, worker.hostname))  # type: ignore[misc]
            yield Both(theirs, ours, frozenset(sent))
    finally:
        collector.kill()


def send(broker_url: str) -> dict[str, str]:
    """Names by id. What no worker knows waits in a queue that nobody consumes."""
    client = celery_app.client(broker_url)
    found: dict[str, str] = {}
    for name, args, kwargs in TASKS:
        queue = "celery" if name in ENDED else "nobody"
        found[client.send_task(name, args, kwargs, queue=queue).id] = name
    return found


def ended(client: httpx.Client, sent: Mapping[str, str]) -> bool:
    tasks = client.get("/api/tasks").json()
    return all(tasks.get(one, {}).get("state") == ENDED.get(name, "PENDING") for one, name in sent.items())


def inspected(client: httpx.Client, hostname: str) -> bool:
    told: dict[str, Any] = client.get("/api/workers?refresh=1").json().get(hostname, {})
    return told.keys() >= INSPECTED


def of(both: Both, answer: httpx.Response) -> list[dict[str, Any]]:
    """The tasks of a list that both have seen, in its order; Flower hears nothing of what was before it came."""
    return [task for key, task in answer.json().items() if key in both.ids]


def alike(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    assert list(theirs) == list(ours)
    for key in theirs.keys() - OURS:
        if isinstance(theirs[key], float):
            assert theirs[key] == pytest.approx(ours[key], abs=1e-5), key
        else:
            assert theirs[key] == ours[key], key
    for key in OURS & theirs.keys():
        assert {type(theirs[key]), type(ours[key])} <= {int, float, str, list, type(None)}, key


def refused_alike(theirs: httpx.Response, ours: httpx.Response) -> None:
    kinds = [answer.headers["content-type"].partition(";")[0] for answer in (theirs, ours)]
    assert (ours.status_code, kinds[1]) == (theirs.status_code, kinds[0])
    if kinds[0] == "application/json":
        assert ours.json() == theirs.json()
    else:
        assert ours.text == theirs.text


def test_every_list_and_every_task_is_the_same(both: Both) -> None:
    for arguments in LISTS:
        theirs, ours = both.ask("/api/tasks", **arguments)
        if theirs.status_code != 200:
            refused_alike(theirs, ours)
            continue
        assert ours.status_code == 200, (arguments, ours.text)
        expected, found = of(both, theirs), of(both, ours)
        by_id = {task["uuid"]: task for task in found}
        if not {"limit", "received_start", "received_end"} & arguments.keys():
            assert set(by_id) == {task["uuid"] for task in expected}, arguments
        assert [task["uuid"] for task in found] == in_our_order(expected, found, arguments), arguments
        for task in expected:
            if task["uuid"] in by_id:
                alike(task, by_id[task["uuid"]])

    for task_id in (*both.ids, "nobody"):
        theirs, ours = both.ask(f"/api/task/info/{task_id}")
        refused_alike(theirs, ours) if theirs.status_code != 200 else alike(theirs.json(), ours.json())
    assert both.ask("/healthcheck")[0].text == both.ask("/healthcheck")[1].text


def in_our_order(
    expected: list[dict[str, Any]], found: list[dict[str, Any]], arguments: Mapping[str, str]
) -> list[str]:
    """Flower's order; where it has ties, and without `sort_by`, ours."""
    key = arguments.get("sort_by", "").lstrip("-")
    ours = [task["uuid"] for task in found]
    if not key:
        return ours
    place = {value: number for number, value in enumerate(dict.fromkeys(task.get(key) for task in expected))}
    there = {task["uuid"]: place[task.get(key)] for task in expected}
    return sorted(ours, key=there.__getitem__)


def test_types_workers_and_the_page_of_datatables_are_the_same(both: Both) -> None:
    types = [set(answer.json()["task-types"]) for answer in both.ask("/api/task/types")]
    assert {name for name, _, _ in TASKS} <= types[0] & types[1]

    theirs, ours = (answer.json() for answer in both.ask("/api/workers"))
    assert set(theirs) == set(ours)
    for name, told in theirs.items():
        assert told.keys() & ours[name].keys() >= INSPECTED
        assert ours[name]["active_queues"] == told["active_queues"]
        assert sorted(ours[name]["registered"]) == sorted(told["registered"])
        assert set(ours[name]["stats"]) == set(told["stats"])
    hostname = next(iter(theirs))
    assert [answer.json()[hostname] for answer in both.ask("/api/workers", status="1")] == [True, True]
    assert [list(answer.json()) for answer in both.ask("/api/workers", workername=hostname)] == [[hostname]] * 2
    for arguments in ({"workername": "nobody@x"}, {"status": "maybe"}, {"refresh": "2"}):
        refused_alike(*both.ask("/api/workers", **arguments))

    rows = [{row["hostname"]: row for row in answer.json()["data"]} for answer in both.ask("/workers", json="1")]
    counts = {"worker-heartbeat", "worker-online"}
    row, mine = rows[0][hostname], rows[1][hostname]
    assert set(row) - counts == set(mine) - counts
    for key in ("hostname", "pid", "sw_ident", "sw_ver", "sw_sys", "status", "freq", "task-received", "task-succeeded"):
        assert mine[key] == row[key], key

    for search in SEARCHES:
        pages = both.ask("/tasks/datatable", **asked(search=search, length="100"))
        theirs, ours = (answer.json() for answer in pages)
        assert list(ours) == list(theirs), search
        assert (ours["draw"], ours.get("searchError")) == (theirs["draw"], theirs.get("searchError")), search
        listed = [{task["uuid"]: task for task in page["data"] if task["uuid"] in both.ids} for page in (theirs, ours)]
        assert set(listed[0]) == set(listed[1]), search
        for key, task in listed[0].items():
            alike(task, listed[1][key])
    for name in ("draw", "start", "length", "order[0][column]"):
        without = {key: value for key, value in asked().items() if key != name}
        for arguments in (without, {**without, name: "x"}, {**without, name: ""}):
            refused_alike(*both.ask("/tasks/datatable", **arguments))


def test_lengths_of_queues_are_the_same(both: Both, broker_url: str) -> None:
    client = celery_app.client(broker_url)
    for _ in range(12):  # more than a worker takes at once
        client.send_task("tests.slow", (600,))

    def alike() -> bool:
        """Each key of ours is one of Flower's; on RabbitMQ it has more, which we do not keep."""
        theirs, ours = (answer.json()["active_queues"] for answer in both.ask("/api/queues/length"))
        told = {queue["name"]: queue for queue in theirs}
        assert [queue["name"] for queue in ours] == ["celery"] == list(told)
        (queue,) = ours
        shared = {key: told["celery"].get(key) for key in queue}
        complete = broker_url.startswith("amqp") or queue == told["celery"]
        return bool(queue["messages"]) and queue == shared and complete

    eventually(alike)


@pytest.fixture(scope="module")
def their_search() -> ModuleType:
    """Flower's own module, which needs nothing but kombu."""
    (path,) = flower2.program().parents[1].glob("lib/python*/site-packages/flower/utils/search.py")
    spec = importlib.util.spec_from_file_location("flower_2_search", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


WORDS = st.sampled_from([
    "(", ")", " ", '"', "\\", "AND", "OR", "NOT", "-", ":", "=", "state:", "name:", "kwargs:", "abc", "STRASSE", "ß",
    "user", "1.5", "Ann", "x", "K", "Σ", "\t", "args:", "uuid:", "True", "'",
])  # fmt: skip
VALUES = st.sampled_from(
    ["", "abc", "straße", "(1, 'STRASSE')", "ΣΊΣ", "{'user': 'Ann', 1: 1.5, 'ß': None}", "{'a", "K=x"]
)


@given(text=st.lists(WORDS, max_size=14).map("".join), values=st.tuples(*[VALUES] * 7))
def test_flowers_own_module_takes_refuses_and_finds_the_same(
    their_search: ModuleType, text: str, values: tuple[str, ...]
) -> None:
    document = flower_query.Document(*values)

    class Task:
        uuid, name, state, worker, args, kwargs, result = values

    engine = their_search.TaskSearchEngine()
    engine.rebuild([("t", Task())])
    found: object
    try:
        expression = flower_query.parse(text)
        found = expression is None or flower_query.matches(expression, document)
    except flower_query.BadQuery as error:
        found = str(error)
    try:
        expected: object = bool(engine.matching_ids(text)) if values[0] else found
    except their_search.QuerySyntaxError as error:
        expected = str(error)

    assert found == expected
