"""Groups of failures: the list, one over time, a decision and what follows it. Failures are written in the test."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.api import serving

from flower_api.settings import ApiSettings
from flower_store import reconciling
from flower_store.factories import NOON, an_event, uuid_of
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

HERE = "/api/v1/clusters/default"
BEGAN = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=5)
OFFSET = (BEGAN - NOON).total_seconds()
TRACEBACK = 'Traceback (most recent call last):\n  File "/srv/app/shop/tasks.py", line 7, in charge\n    pay()\n'


def failed(
    writer: Writer,
    task_id: str,
    minute: float,
    exception: str,
    *,
    name: str = "shop.pay",
    worker: str = "celery@a",
    traceback: str = TRACEBACK,
) -> None:
    second = OFFSET + minute * 60
    writer.write([
        an_event("received", second - 2, task_id=task_id, worker=worker, name=name),
        an_event("started", second - 1, task_id=task_id, worker=worker),
        an_event("failed", second, task_id=task_id, worker=worker, exception=exception, traceback=traceback),
    ])  # fmt: skip


@pytest.fixture
def groups(writer: Writer, api: httpx.Client) -> httpx.Client:
    """Three groups, written in the order of their ids: 1 has three failures, 2 has two, 3 has one."""
    writer.ensure_partitions(BEGAN)
    for number in range(3):
        failed(writer, f"a{number}", number * 60, f"ValueError('order {number} is late')", name=f"shop.pay{number % 2}")
    for number in range(2):
        failed(writer, f"b{number}", 10, f"KeyError('{number}')", worker="celery@b")
    failed(writer, "c0", 5, "KeyError('0')", traceback="")
    return api


def get(api: httpx.Client, path: str, **query: Any) -> Any:
    answer = api.get(f"{HERE}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def decided(api: httpx.Client, group_id: int, **document: Any) -> Any:
    answer = api.patch(f"{HERE}/errors/{group_id}", json=document)
    assert answer.status_code == 200, answer.text
    return answer.json()


def at(minutes: float) -> str:
    return (BEGAN + timedelta(minutes=minutes)).isoformat()


def test_failures_whose_messages_differ_in_values_are_one_group(groups: httpx.Client) -> None:
    first, second, third = get(groups, "errors")["errors"]

    assert (first["exception"], first["message"], first["frame"]) == (
        "ValueError", "order <n> is late", "shop/tasks.py in charge",
    )  # fmt: skip
    assert (first["count"], first["total"], first["sample"], first["status"]) == (3, 3, "a2", "open")
    assert (first["names"], first["workers"]) == (["shop.pay0", "shop.pay1"], ["celery@a"])
    assert (first["first_at"], first["last_at"]) == (at(0).replace("+00:00", "Z"), at(120).replace("+00:00", "Z"))
    assert [(one["message"], one["frame"], one["workers"], one["total"]) for one in (second, third)] == [
        ("<n>", "shop/tasks.py in charge", ["celery@b"], 2), ("<n>", "", ["celery@a"], 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("since", "until", "counts"),
    [(-60, 240, [3, 2, 1]), (0, 60, [1, 2, 1]), (6, 11, [0, 2, 0]), (30, 61, [1, 0, 0]), (150, 160, [0, 0, 0])],
)
def test_counts_are_of_the_interval_and_totals_of_all(
    groups: httpx.Client, since: int, until: int, counts: list[int]
) -> None:
    found = get(groups, "errors", **{"from": at(since), "until": at(until)})["errors"]

    assert [one["count"] for one in found] == counts
    assert [one["total"] for one in found] == [3, 2, 1]


@pytest.mark.parametrize(("sort", "order"), [("last", [1, 2, 3]), ("first", [3, 2, 1])])
def test_groups_are_paged_in_either_order(groups: httpx.Client, sort: str, order: list[int]) -> None:
    ids, after = [], None
    while True:
        page = get(groups, "errors", sort=sort, limit=1, fields="id", **({"after": after} if after else {}))
        ids += [one["id"] for one in page["errors"]]
        after = page["next"]
        if after is None:
            break

    assert ids == order


def test_a_group_tells_its_failures_over_time(groups: httpx.Client) -> None:
    found = get(groups, "errors/1", **{"from": at(-30), "until": at(150)})

    assert (found["step"], sum(step["count"] for step in found["series"])) == (300.0, found["count"])
    assert [step["at"] for step in found["series"] if step["count"]] == [
        stepped(at(minute)) for minute in (0, 60, 120)
    ]  # fmt: skip


def stepped(time: str) -> str:
    moment = datetime.fromisoformat(time)
    return moment.replace(minute=moment.minute - moment.minute % 5).isoformat().replace("+00:00", "Z")


def test_a_search_finds_the_tasks_of_a_group(groups: httpx.Client) -> None:
    def found(query: str) -> set[str]:
        return {one["id"] for one in get(groups, "tasks", q=query)["tasks"]}

    assert found("group:1") == {"a0", "a1", "a2"}
    assert found("group:2,3") == {"b0", "b1", "c0"}
    assert found("-group:1 worker:celery@a") == {"c0"}
    assert found("group:99") == set()


def test_a_task_that_was_sent_again_keeps_the_group_of_its_last_failure(writer: Writer, groups: httpx.Client) -> None:
    failed(writer, "a0", 130, "KeyError('9')")
    writer.write([an_event("succeeded", OFFSET + 9_000, task_id="a0", result="1", runtime=1.0)])

    assert [one["id"] for one in get(groups, "tasks", q="group:2 state:SUCCESS")["tasks"]] == ["a0"]
    assert {one["id"]: one["total"] for one in get(groups, "errors")["errors"]} == {1: 3, 2: 3, 3: 1}


def test_one_group_tells_the_traceback_of_its_newest_task(writer: Writer, groups: httpx.Client) -> None:
    writer.write([an_event("received", OFFSET, task_id="d0", name="shop.pay", worker="celery@a")])
    found = reconciling.Outcome(state="FAILURE", done_at=BEGAN, result="OSError()", traceback="of the backend")
    reconciling.keep(writer, [], [(uuid_of("d0"), found)])
    failed(writer, "d0", 1, "KeyError('9')", traceback=TRACEBACK + "KeyError")

    told = {number: get(groups, f"errors/{number}") for number in range(1, 5)}

    assert {number: (one["sample"], one["traceback"]) for number, one in told.items()} == {
        1: ("a2", TRACEBACK), 2: ("b1", TRACEBACK), 3: ("c0", ""), 4: ("d0", "of the backend"),
    }  # fmt: skip


def test_a_task_tells_the_group_of_its_last_failure(writer: Writer, groups: httpx.Client) -> None:
    failed(writer, "a0", 130, "KeyError('9')")
    writer.write([
        an_event("succeeded", OFFSET + 9_000, task_id="a0", result="1", runtime=1.0),
        an_event("received", OFFSET, task_id="d0", name="shop.pay", worker="celery@a"),
        an_event("received", OFFSET, task_id="e0", name="shop.pay", worker="celery@a"),
    ])  # fmt: skip
    found = reconciling.Outcome(state="FAILURE", done_at=BEGAN, result="OSError()")
    reconciling.keep(writer, [], [(uuid_of("d0"), found)])

    told = {one: get(groups, "task", id=one)["error_group"] for one in ("a0", "a1", "c0", "d0", "e0")}

    assert told == {"a0": 2, "a1": 1, "c0": 3, "d0": 4, "e0": None}


def test_a_decision_is_in_the_log_of_commands(groups: httpx.Client) -> None:
    told = decided(groups, 1, status="resolved", reason="fixed in 2.1")
    again = decided(groups, 1, status="resolved")

    (command,) = get(groups, "commands")["commands"]
    assert (told["status"], told["regressed"], again["changed_at"]) == ("resolved", False, told["changed_at"])
    assert (command["kind"], command["status"], command["target"], command["arguments"], command["reply"]) == (
        "error_group", "done", {"error_group": 1}, {"status": "resolved"}, {"before": "open"},
    )  # fmt: skip
    assert (command["reason"], command["actor"]) == ("fixed in 2.1", "anonymous")
    assert [one["id"] for one in get(groups, "errors", status="resolved")["errors"]] == [1]
    assert [one["id"] for one in get(groups, "errors", status="open,ignored")["errors"]] == [2, 3]


def test_a_resolved_group_that_fails_again_is_open_and_says_so(writer: Writer, groups: httpx.Client) -> None:
    decided(groups, 1, status="resolved")
    later = (datetime.now(UTC) + timedelta(seconds=5) - BEGAN).total_seconds() / 60

    failed(writer, "a8", 100, "ValueError('order 8 is late')")
    told_late = get(groups, "errors/1")
    failed(writer, "a9", later, "ValueError('order 9 is late')")
    regressed = get(groups, "errors/1")
    seen = decided(groups, 1, status="open")

    assert (told_late["status"], told_late["total"], told_late["regressed"]) == ("resolved", 4, False)
    assert (regressed["status"], regressed["total"], regressed["regressed"]) == ("open", 5, True)
    assert regressed["regressed_at"] == regressed["last_at"]
    assert (seen["regressed"], len(get(groups, "commands")["commands"])) == (False, 2)


def test_an_ignored_group_stays_ignored(writer: Writer, groups: httpx.Client) -> None:
    decided(groups, 2, status="ignored")

    failed(writer, "b9", 600, "KeyError('9')")

    assert (get(groups, "errors/2")["status"], get(groups, "errors/2")["total"]) == ("ignored", 3)


@pytest.mark.parametrize(
    ("document", "word"),
    [({}, "status"), ({"status": "fixed"}, "status"), ({"status": "open", "x": 1}, "x"),
     ({"status": "open", "reason": "x" * 1_001}, "reason"), ({"status": "open", "reason": "\0"}, "reason"),
     ([], "object"), ({"status": None}, "status")],
)  # fmt: skip
def test_a_decision_that_is_none_is_refused_by_field(groups: httpx.Client, document: object, word: str) -> None:
    answer = groups.patch(f"{HERE}/errors/1", json=document)

    assert answer.status_code == 400
    assert word in answer.json()["detail"]


def test_what_is_not_there_or_not_allowed_changes_nothing(groups: httpx.Client, store: StoreSettings) -> None:
    unknown = groups.patch(f"{HERE}/errors/99", json={"status": "ignored"})
    foreign = groups.patch(f"{HERE}/errors/1", json={"status": "ignored"}, headers={"Sec-Fetch-Site": "cross-site"})
    with serving.client(store, ApiSettings(port=0, read_only=True)) as reading:
        refused = reading.patch(f"{HERE}/errors/1", json={"status": "ignored"})
        shown = reading.get(f"{HERE}/errors/1")

    assert (unknown.status_code, foreign.status_code, refused.status_code, shown.status_code) == (404, 403, 403, 200)
    assert "99" in unknown.json()["detail"]
    assert groups.get(f"{HERE}/errors/99").status_code == 404
    assert (get(groups, "errors/1")["status"], get(groups, "commands")["commands"]) == ("open", [])


def test_another_cluster_s_groups_are_not_to_be_had(other_writer: Writer, groups: httpx.Client) -> None:
    other_writer.ensure_partitions(BEGAN)
    failed(other_writer, "o0", 0, "ValueError('order 1 is late')")

    assert [one["id"] for one in get(groups, "errors")["errors"]] == [1, 2, 3]
    assert groups.get(f"{HERE}/errors/4").status_code == 404
    assert groups.get("/api/v1/clusters/other/errors/4").json()["total"] == 1
