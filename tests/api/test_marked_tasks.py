"""`/api/v1/clusters/…/tasks`: tasks on which nobody works, and ends that only the result backend knew."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from flower_store import marks, reconciling
from flower_store.factories import NOON, a_heartbeat, a_success, an_event, uuid_of
from flower_store.writes import Writer

HERE = "/api/v1/clusters/default"
NOW = timedelta(0)
LIMITS = marks.Limits(lost_after=NOW, unseen_after=NOW)


def get(api: httpx.Client, path: str, **query: Any) -> Any:
    answer = api.get(f"{HERE}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def lose(writer: Writer, task_id: str, *, worker: str = "celery@gone") -> None:
    """Start a task on a worker that said goodbye, and look."""
    events = [an_event("received", 1, task_id=task_id, worker=worker), started(task_id, worker=worker)]
    writer.write(events, [a_heartbeat(3, worker=worker, clock=30, active=1), bye(worker)])
    look(writer)


def started(task_id: str, *, worker: str) -> Any:
    return an_event("started", 2, task_id=task_id, worker=worker, clock=20)


def bye(worker: str) -> Any:
    """It goes with the task still in its hands."""
    return a_heartbeat(4, worker=worker, clock=40, kind="offline", active=1)


def look(writer: Writer) -> None:
    place: marks.Place | None = marks.Place()
    while place is not None:
        place = marks.sweep(writer, place, LIMITS)


def test_a_lost_task_says_so_with_since_when_and_why(api: httpx.Client, writer: Writer) -> None:
    lose(writer, "one")

    task = get(api, "tasks/one")

    assert (task["state"], task["found"]) == ("STARTED", None)
    assert task["mark"] == {
        "kind": "lost",
        "reason": "worker_gone",
        "since": "2026-11-20T12:00:04Z",
        "sentence": "Its worker is gone: nobody works on it any more.",
    }


def test_a_mark_is_void_with_the_next_event_and_before_anybody_looks_again(api: httpx.Client, writer: Writer) -> None:
    lose(writer, "one")

    writer.write([an_event("succeeded", 9, task_id="one", worker="celery@gone", clock=50)])

    assert get(api, "tasks/one")["mark"] is None
    assert get(api, "tasks", **{"is": "lost"})["tasks"] == []


def test_the_list_is_filtered_by_marks(api: httpx.Client, writer: Writer) -> None:
    writer.write(a_success("fine"))
    lose(writer, "one")

    every = {task["id"]: task["mark"] and task["mark"]["kind"] for task in get(api, "tasks")["tasks"]}
    lost = [task["id"] for task in get(api, "tasks", **{"is": "stuck,lost"})["tasks"]]

    assert every == {"fine": None, "one": "lost"}
    assert lost == ["one"]
    assert get(api, "tasks", **{"is": "stuck"})["tasks"] == []


def test_marked_tasks_are_paged_without_one_twice(api: httpx.Client, writer: Writer) -> None:
    for number in range(3):
        lose(writer, f"t{number}")

    first = get(api, "tasks", limit=2, **{"is": "lost"})
    second = get(api, "tasks", limit=2, after=first["next"], **{"is": "lost"})

    assert {task["id"] for page in (first, second) for task in page["tasks"]} == {"t0", "t1", "t2"}
    assert second["next"] is None


def test_an_end_from_the_result_backend_is_told_as_such(api: httpx.Client, writer: Writer) -> None:
    close(writer, state="SUCCESS", result='{"x": 1}')

    task = get(api, "tasks/one")

    assert (task["state"], task["ended_at"]) == ("SUCCESS", None)
    assert task["found"] == {
        "state": "SUCCESS",
        "until": "2026-11-20T12:00:05Z",
        "result": '{"x": 1}',
        "traceback": None,
        "sentence": "No event told its end: it was closed as SUCCESS, as the result backend knows it.",
    }
    assert [each["reconciled"] for each in get(api, "tasks")["tasks"]] == [True]


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ({"state": "SUCCESS", "result": "3"}, ("SUCCESS", "3", None, None)),
        (
            {"state": "FAILURE", "result": "ValueError('no')", "traceback": "T"},
            ("FAILURE", None, "ValueError('no')", "T"),
        ),
    ],
)
def test_flowers_own_address_gives_the_result_that_the_backend_knew_under_the_keys_it_had(
    api: httpx.Client, writer: Writer, outcome: Mapping[str, Any], told: tuple[str | None, ...]
) -> None:
    writer.write(a_success("whole"))
    close(writer, **outcome)

    task = api.get("/api/task/info/one").json()

    assert tuple(task[key] for key in ("state", "result", "exception", "traceback")) == told
    assert (task["succeeded"], task["failed"], task["runtime"]) == (None, None, None)
    assert list(task) == list(api.get("/api/task/info/whole").json())


@pytest.mark.parametrize("task_id", ["a/b", "..", "x?y#z", "ä"])
def test_a_task_is_found_whatever_its_id(api: httpx.Client, writer: Writer, task_id: str) -> None:
    writer.write([an_event("sent", task_id=task_id)])

    assert get(api, "task", id=task_id)["id"] == task_id


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("tasks?is=missing", 400, "lost"),
        ("tasks?state=done", 400, "SUCCESS"),
        ("tasks?stat=x", 400, "did you mean 'state'"),
        ("tasks/nobody", 404, "nobody"),
        ("task?id=%00", 404, "no task"),
    ],
)
def test_what_cannot_be_answered_is_a_problem(standing_api: httpx.Client, path: str, status: int, detail: str) -> None:
    answer = standing_api.get(f"{HERE}/{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]


def close(writer: Writer, **outcome: Any) -> None:
    """Start a task of which only the result backend knows the end."""
    writer.write([started("one", worker="celery@a")])
    end = reconciling.Outcome(done_at=NOON + timedelta(seconds=5), **outcome)
    reconciling.keep(writer, [], [(uuid_of("one"), end)])
