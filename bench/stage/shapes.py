"""What is asked of the API, on a store that `filled.py` made, and of Flower 2 where it can be asked the same.

Each shape is a few addresses that differ in their values. Where a search finds little or nothing, rows are read until
the page is full or the store ends: those are shapes of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from bench.stage import filled, ours

NATIVE = f"/api/v1/clusters/{ours.CLUSTER}"
LIST, SEARCH, STATISTICS = 20.0, 150.0, 50.0
"""Aims in milliseconds, p95 of the server's time; substrings and statistics are of 24 hours."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`aim` is None where none was set."""

    name: str
    paths: Sequence[str]
    aim: float | None = LIST


def native(tasks: int) -> list[Shape]:
    """Shapes of our own addresses."""
    some = [filled.task_id(number) for number in range(7, tasks, tasks // 20)]
    children = [filled.task_id(number - number % 10 + 3) for number in range(7, tasks - 10, tasks // 20)]
    parents = [filled.task_id(number - number % 10 + 1) for number in range(7, tasks - 10, tasks // 20)]
    common, rare = filled.NAMES[:5], filled.NAMES[-5:]
    return [
        *(Shape(f"first page: {word}", [f"{NATIVE}/{word}"]) for word in _LISTS),
        Shape("first page: history of a worker", [f"{NATIVE}/workers/{filled.WORKERS[0]}/history"]),
        Shape("task by id", [f"{NATIVE}/tasks/{one}" for one in some]),
        Shape("task by id, all of it", [f"{NATIVE}/tasks/{one}?include=events,attempts,relations" for one in some]),
        _q("id:", *(f"id:{one}" for one in some)),
        _q("id:…*", *(f"id:{one[:8]}*" for one in some)),
        _q("parent:", *(f"parent:{one}" for one in parents)),
        _q("root:", *(f"root:{one}" for one in parents)),
        _q("root: of a child, without a match", *(f"root:{one}" for one in children)),
        *(_q(f"state:{one}", f"state:{one}") for one in ("SUCCESS", "FAILURE", "STARTED", "REVOKED", "REJECTED")),
        *(_q(f"is:{one}", f"is:{one}") for one in _IS),
        _q("name:, frequent", *(f"name:{one}" for one in common)),
        _q("name:, rare", *(f"name:{one}" for one in rare)),
        _q("name:…*, all", "name:shop*"),
        _q("worker:", *(f"worker:{one}" for one in filled.WORKERS)),
        _q("queue:", *(f"queue:{one}" for one in filled.QUEUES)),
        _q("error:", "error:ValueError", "error:KeyError"),
        _q("error: without a match", "error:NothingError"),
        _q("runtime>1s", "runtime>1s"),
        _q("runtime> without a match", "runtime>1h"),
        _q("wait>100ms", "wait>100ms"),
        _q("wait> without a match", "wait>1h"),
        _q("retries>=1", "retries>=1"),
        _q("retries> without a match", "retries>5"),
        _q("after:", "after:-1h", "after:-24h"),
        _q("before:", "before:-1d", "before:-3d"),
        _q("name: state:FAILURE", *(f"name:{one} state:FAILURE" for one in (*common, *rare))),
        _q("worker: state:FAILURE", *(f"worker:{one} state:FAILURE" for one in filled.WORKERS)),
        _q("name: worker:", *(f"name:{one} worker:{filled.WORKERS[3]}" for one in (*common, *rare))),
        _q("queue: state:FAILURE", *(f"queue:{one} state:FAILURE" for one in filled.QUEUES)),
        _q("state:FAILURE after:", "state:FAILURE after:-1h", "state:FAILURE after:-24h"),
        _q("name: retries>=1", *(f"name:{one} retries>=1" for one in (*common, *rare))),
        _q("text: in 24 hours", *(f"text:{number * 7919 % 100_000} after:-24h" for number in range(20)), aim=SEARCH),
        _q("text: in 24 hours, without a match", "text:nowhere after:-24h", aim=SEARCH),
        _q("text: of a name, everywhere", *(f"text:nowhere name:{one}" for one in rare), aim=None),
        Shape("counts of all", [f"{NATIVE}/task-counts"], None),
        Shape("counts of a name", [f"{NATIVE}/task-counts?name={one}" for one in (*common, *rare)], None),
        Shape("statistics of 24 hours by name", [f"{NATIVE}/names"], STATISTICS),
        Shape("statistics of 24 hours by worker", [f"{NATIVE}/workers"], STATISTICS),
        Shape("statistics of 24 hours, one worker", [f"{NATIVE}/workers/{one}" for one in filled.WORKERS], STATISTICS),
        Shape("statistics of 24 hours, one name", [f"{NATIVE}/names?name={one}" for one in common], STATISTICS),
        Shape("series of an hour", [f"{NATIVE}/series"], STATISTICS),
        Shape("series of 24 hours", [f"{NATIVE}/series?from=-24h"], STATISTICS),
        Shape("series of 24 hours by name", [f"{NATIVE}/series?from=-24h&by=name"], STATISTICS),
        Shape("series of 24 hours by worker", [f"{NATIVE}/series?from=-24h&by=worker"], STATISTICS),
        Shape("series of 5 days", [f"{NATIVE}/series?from=-5d"], None),
    ]


def flowers(ids: Sequence[str], names: Sequence[str], workers: Sequence[str]) -> list[Shape]:
    """Shapes of Flower's addresses, with ids, names and workers that are there."""
    table = "draw=1&length=50&order[0][column]=0&order[0][dir]=desc&columns[0][data]=received"
    return [
        Shape("/api/tasks", ["/api/tasks?limit=50"]),
        Shape("/api/tasks page 200", ["/api/tasks?limit=50&offset=9950"]),
        Shape("/api/tasks state", ["/api/tasks?limit=50&state=FAILURE"]),
        Shape("/api/tasks taskname", [f"/api/tasks?limit=50&taskname={quote(one)}" for one in names]),
        Shape("/api/tasks workername", [f"/api/tasks?limit=50&workername={quote(one)}" for one in workers]),
        Shape(
            "/api/tasks taskname state", [f"/api/tasks?limit=50&state=FAILURE&taskname={quote(one)}" for one in names]
        ),
        Shape("/api/tasks search, everywhere", ["/api/tasks?limit=50&search=customer"], None),
        Shape("/api/tasks search, everywhere, without a match", ["/api/tasks?limit=50&search=nowhere"], None),
        Shape("/api/task/info", [f"/api/task/info/{one}" for one in ids]),
        Shape("/api/task/types", ["/api/task/types"]),
        Shape("/tasks/datatable", [f"/tasks/datatable?{table}&start=0&search[value]="], None),
        Shape("/tasks/datatable search", [f"/tasks/datatable?{table}&start=0&search[value]=customer"], None),
    ]


_LISTS = ("tasks", "gaps", "completeness", "collectors", "set-aside", "commands")
_IS = ("running", "waiting", "retried", "late", "eta", "root", "slow", "lost", "stuck")


def _q(name: str, *texts: str, aim: float | None = LIST) -> Shape:
    return Shape(name, [f"{NATIVE}/tasks?q={quote(text)}" for text in texts], aim)
