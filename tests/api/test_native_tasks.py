"""`/api/v1/clusters/…/tasks`: searches, pages, fields, counts, a task with what stands round it, and files."""

import csv
import io
import json
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from tests.waiting import eventually

from flower_store.factories import NOON, a_success, an_event
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

HERE = "/api/v1/clusters/native"
PARENT, CHILD = "0190aaaa-bbbb-4ccc-8ddd-eeeeffff0001", "0190aaaa-bbbb-4ccc-8ddd-eeeeffff0002"
START = NOON.isoformat().replace("+00:00", "Z")
EVENTS = [
    *a_success(PARENT, 0, name="app.mail.send", runtime=0.5),
    an_event("received", 10, task_id=CHILD, name="app.mail.sent", root_id=PARENT, parent_id=PARENT, retries=2,
             args="(5, 'x')", kwargs="{'user': {'plan': 'business'}, 'n': 7}"),
    an_event("started", 11, task_id=CHILD),
    an_event("failed", 71, task_id=CHILD, exception="ValueError('no seat')", traceback="in seats"),
    an_event("sent", 20, task_id="odd/id?", name="app.report", queue="slow", routing_key="reports.daily",
             eta="2026-11-20T12:00:30+00:00"),
    an_event("received", 30, task_id="tried", name="app.sync", worker="celery@b"),
    an_event("started", 31, task_id="tried", worker="celery@b"),
    an_event("retried", 32, task_id="tried", worker="celery@b", exception="TimeoutError()", traceback="T"),
    an_event("received", 33, task_id="tried", name="app.sync", worker="celery@b", retries=1),
    an_event("started", 40, task_id="tried", worker="celery@b"),
]  # fmt: skip
BY_AGE = ["tried", "odd/id?", CHILD, PARENT]


@pytest.fixture(scope="module")
def native(standing_store: StoreSettings, standing_api: httpx.Client) -> httpx.Client:
    writer = Writer(standing_store, cluster="native")
    writer.connect()
    writer.ensure_partitions(NOON)
    writer.write(EVENTS)
    writer.close()
    return standing_api


def get(api: httpx.Client, path: str, **query: Any) -> Any:
    answer = api.get(f"{HERE}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(api: httpx.Client, q: str, **more: Any) -> list[str]:
    return [task["id"] for task in get(api, "tasks", q=q, **more)["tasks"]]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("", BY_AGE),
        ("state:success", [PARENT]),
        ("state:FAILURE,started", ["tried", CHILD]),
        ("-state:FAILURE,started", ["odd/id?", PARENT]),
        ("name:app.mail.send", [PARENT]),
        ("name:app.mail.*", [CHILD, PARENT]),
        ("-name:app.mail.*", ["tried", "odd/id?"]),
        ("name:app.m%", []),
        ("name:APP.SYNC", []),
        ("worker:celery@b", ["tried"]),
        ("-worker:celery@b", ["odd/id?", CHILD, PARENT]),
        ("queue:slow OR worker:celery@b", ["tried", "odd/id?"]),
        ("(queue:slow OR name:app.mail.*) state:SUCCESS", [PARENT]),
        ("routing:reports.* state:PENDING", ["odd/id?"]),
        ("is:running", ["tried"]),
        ("is:waiting", ["odd/id?"]),
        ("is:late", ["odd/id?"]),
        ("is:eta", ["odd/id?"]),
        ("is:retried", ["tried", CHILD]),
        ("is:root", ["tried", "odd/id?", PARENT]),
        ("is:lost", []),
        ("is:slow", []),
        ("error:ValueError", [CHILD]),
        ("error:Value*", [CHILD]),
        ("error:Value", []),
        (f"id:{PARENT}", [PARENT]),
        (f"id:{PARENT.upper()[:12]}*", [CHILD, PARENT]),
        (PARENT[:9], [CHILD, PARENT]),
        (PARENT[:36], [PARENT]),
        ("id:tried", ["tried"]),
        ('"odd/id?"', ["odd/id?"]),
        ("app.s", ["tried"]),
        (f"root:{PARENT}", [CHILD, PARENT]),
        (f"children-of:{PARENT}", [CHILD]),
        (f"parent:{PARENT[:10]}*", [CHILD]),
        ("runtime>400ms", [PARENT]),
        ("runtime>1m", []),
        ("runtime:0.5s..1s", [PARENT]),
        ("wait>=2s", ["tried", PARENT]),
        ("retries>=2", [CHILD]),
        ("retries:1", ["tried"]),
        (f'after:"{START}"', BY_AGE),
        ("after:2026-11-20T12:00:15Z", ["tried", "odd/id?"]),
        ("before:2026-11-20T12:00:15Z", [CHILD, PARENT]),
        ("text:seat state:FAILURE", [CHILD]),
        ("text:SEAT state:FAILURE", [CHILD]),
        ("kwargs.user.plan:business name:app.mail.*", [CHILD]),
        ("kwargs.user.plan:busines name:app.mail.*", []),
        ("kwargs:n=7 name:app.mail.*", [CHILD]),
        ("kwargs.n:7 name:app.mail.*", [CHILD]),
        ("args.0:5 name:app.mail.*", [CHILD]),
        ("args:x name:app.mail.*", [CHILD]),
        ("result:3 state:SUCCESS", [PARENT]),
    ],
)
def test_a_search_finds(native: httpx.Client, q: str, expected: list[str]) -> None:
    assert ids(native, q) == expected


def test_filters_stand_beside_the_search_and_a_range_of_time_bounds_it(native: httpx.Client) -> None:
    assert ids(native, "app.mail", state="FAILURE") == [CHILD]
    assert ids(native, "", name="app.mail.*", worker="celery@a") == [CHILD, PARENT]
    assert ids(native, "text:seat", **{"from": "2026-11-20T00:00:00Z", "until": "2026-11-20T23:00:00Z"}) == [CHILD]
    assert ids(native, "", until="2026-11-20T12:00:10Z") == [PARENT]
    assert ids(native, "", **{"from": "-5m"}) == []


def test_how_a_path_was_found_is_said(native: httpx.Client) -> None:
    assert "text match" in get(native, "tasks", q="kwargs.n:7 name:app.mail.*")["notes"][0]
    assert get(native, "tasks", q="name:app.mail.*")["notes"] == []


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ({"q": "name:x state:"}, "q: at position 13: state needs a value: one of PENDING"),
        ({"q": "text:seat"}, "q: at position 0: text needs a time range of at most 24 hours"),
        ({"q": "nme:x"}, "q: at position 0: there is no key 'nme': did you mean name?"),
        ({"q": "a\0b"}, "q: must not hold a NUL character"),
        ({"q": "x" * 4_001}, "q: must have at most 4,000 characters"),
        ({"from": "soon"}, "from: must be a time such as"),
        ({"from": "now", "until": "-1h"}, "from: must be earlier than until"),
        ({"from": "-400000d"}, "from: must be at most 36500d (100 years) ago"),
        ({"until": "0001-01-01T00:00:00+01:00"}, "until: must lie in the years 1 to 9999"),
        ({"q": "after:-400000d"}, "q: at position 6: after must be at most 36500d (100 years) ago"),
        ({"fields": "id,nme"}, "fields: there is no field 'nme', did you mean 'name'?"),
        ({"fields": ","}, "fields: needs names of fields"),
        ({"after": "nowhere"}, "after: is not a cursor of this list"),
        ({"limit": "0"}, "limit: "),
        ({"name": "x" * 1_001}, "name: must have at most 1,000 characters"),
        ({"nam": "x"}, "unknown argument 'nam', did you mean 'name'?"),
        ({"state": "done"}, "state: 'DONE' is none of"),
    ],
)
def test_what_cannot_be_read_is_told_by_name_and_rule(
    native: httpx.Client, arguments: dict[str, str], detail: str
) -> None:
    answer = native.get(f"{HERE}/tasks", params=arguments)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith(detail)


def test_pages_of_a_search_are_distinct_and_complete_while_tasks_come(api: httpx.Client, writer: Writer) -> None:
    writer.ensure_partitions(NOON)
    writer.write([event for number in range(25) for event in a_success(f"t{number:02}", number // 3)])
    seen: list[str] = []
    after: dict[str, str] = {}
    for round_number in range(20):
        page = api.get("/api/v1/clusters/default/tasks", params={"q": "app.add", "limit": "4", **after}).json()
        seen += [task["id"] for task in page["tasks"]]
        writer.write(a_success(f"new{round_number}", 500))
        if page["next"] is None:
            break
        after = {"after": page["next"]}

    assert len(seen) == len(set(seen)) == 25
    assert set(seen) == {f"t{number:02}" for number in range(25)}


def test_fields_are_chosen(native: httpx.Client) -> None:
    tasks = get(native, "tasks", fields="state,id", q="state:SUCCESS")["tasks"]
    one = get(native, f"tasks/{PARENT}", fields="id,runtime")

    assert tasks == [{"state": "SUCCESS", "id": PARENT}]
    assert one == {"id": PARENT, "runtime": 0.5}


def test_an_answer_bears_a_tag_a_timing_and_a_request_id(native: httpx.Client) -> None:
    first = native.get(f"{HERE}/tasks")
    again = native.get(f"{HERE}/tasks", headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    other = native.get(f"{HERE}/tasks?limit=1", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["etag"].startswith('W/"')
    assert first.headers["server-timing"].startswith("total;dur=")
    assert first.headers["x-request-id"]
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert other.status_code == 200


def test_a_tag_is_of_what_is_told_and_not_of_how_it_is_packed(native: httpx.Client) -> None:
    """A packed answer has the second in it at which it was packed."""
    began = int(time.time())
    packed = native.get(f"{HERE}/tasks")
    eventually(lambda: int(time.time()) > began)
    later = native.get(f"{HERE}/tasks", headers={"If-None-Match": packed.headers["etag"]})
    plain = native.get(f"{HERE}/tasks", headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert later.status_code == 304
    assert plain.headers["etag"] == packed.headers["etag"]


def test_a_task_tells_what_stands_round_it(native: httpx.Client) -> None:
    parent = get(native, f"tasks/{PARENT}", include="relations,events,attempts")
    child = get(native, f"tasks/{CHILD}", include="relations")
    tried = get(native, "task", id="tried", include="attempts")

    assert (parent["relations"]["root"], parent["relations"]["parent"]) == (None, None)
    assert [one["id"] for one in parent["relations"]["children"]] == [CHILD]
    assert [one["type"] for one in parent["events"]] == [
        "task-sent", "task-received", "task-started", "task-succeeded",
    ]  # fmt: skip
    assert parent["events"][3]["fields"] == {"result": "3", "runtime": 0.5}
    assert child["relations"]["root"]["id"] == child["relations"]["parent"]["id"] == PARENT
    assert (child["events"], child["exception"], child["traceback"]) == (None, "ValueError('no seat')", "in seats")
    assert [(one["number"], one["state"], one["exception"]) for one in tried["attempts"]] == [
        (2, "STARTED", None), (1, "RETRY", "TimeoutError()"),
    ]  # fmt: skip


def test_a_part_that_a_task_does_not_have_is_refused(native: httpx.Client) -> None:
    answer = native.get(f"{HERE}/tasks/{PARENT}", params={"include": "event"})

    assert answer.status_code == 400
    assert answer.json()["detail"] == "include: there is no part 'event', did you mean 'events'?"


def test_counts_are_exact_below_the_bound(native: httpx.Client) -> None:
    counts = get(native, "task-counts", q="app.mail OR app.report")

    assert counts["total"] == {"value": 3, "exact": True}
    assert counts["states"]["SUCCESS"] == {"value": 1, "exact": True}
    assert counts["states"]["RETRY"] == {"value": 0, "exact": True}


def test_counts_above_the_bound_are_marked_as_estimates(api: httpx.Client, writer: Writer, database_url: str) -> None:
    writer.ensure_partitions(NOON)
    writer.write([an_event("sent", number / 100, task_id=f"t{number}", name="n") for number in range(11_000)])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ANALYZE task")

    counts = api.get("/api/v1/clusters/default/task-counts").json()

    assert counts["total"]["exact"] is False
    assert 10_001 <= counts["total"]["value"] <= 12_000
    assert counts["states"]["FAILURE"] == {"value": 0, "exact": True}


def test_a_file_holds_all_that_matches(native: httpx.Client) -> None:
    lines = native.get(f"{HERE}/export", params={"q": "app.mail"})
    table = native.get(f"{HERE}/export", params={"format": "csv", "fields": "id,name,runtime,mark", "q": "app.mail"})

    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == [CHILD, PARENT]
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert list(csv.reader(io.StringIO(table.text))) == [
        ["id", "name", "runtime", "mark"],
        [CHILD, "app.mail.sent", "", ""],
        [PARENT, "app.mail.send", "0.5", ""],
    ]
    assert table.headers["content-disposition"] == 'attachment; filename="tasks-native.csv"'


def test_a_file_of_many_pages_holds_each_task_once_and_a_formula_is_disarmed(api: httpx.Client, writer: Writer) -> None:
    writer.ensure_partitions(NOON)
    writer.write([an_event("sent", number / 100, task_id=f"t{number}", name="=1+1") for number in range(2_500)])

    table = api.get("/api/v1/clusters/default/export", params={"format": "csv", "fields": "id,name"}).text
    some = api.get("/api/v1/clusters/default/export", params={"limit": "1500", "fields": "id"}).text

    rows = list(csv.reader(io.StringIO(table)))[1:]
    assert len({row[0] for row in rows}) == len(rows) == 2_500
    assert {row[1] for row in rows} == {"'=1+1"}
    assert len(some.splitlines()) == 1_500


def test_slow_tasks_are_those_past_the_percentile_of_their_name(api: httpx.Client, writer: Writer) -> None:
    now = datetime.now(UTC) - timedelta(minutes=5)
    offset = (now - NOON).total_seconds()
    writer.ensure_partitions(now)
    for number in range(40):
        writer.write(a_success(f"t{number}", offset, name="n", runtime=1.0 if number else 60.0))

    answer = api.get("/api/v1/clusters/default/tasks", params={"q": "is:slow"})

    assert answer.status_code == 200, answer.text
    assert [task["id"] for task in answer.json()["tasks"]] == ["t0"]


def test_a_file_takes_the_memory_of_a_page_whatever_its_length(api: httpx.Client, writer: Writer) -> None:
    writer.ensure_partitions(NOON)
    writer.write([
        an_event("sent", number / 100, task_id=f"t{number}", name="n", args="x" * 200, kwargs="y" * 200)
        for number in range(15_000)
    ])  # fmt: skip

    def peak(limit: int) -> int:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        with api.stream("GET", "/api/v1/clusters/default/export", params={"limit": str(limit)}) as answer:
            assert sum(chunk.count(b"\n") for chunk in answer.iter_bytes()) == limit
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()  # the API is a thread of this process
    try:
        peak(2_000)
        few, many = peak(2_000), peak(15_000)
    finally:
        tracemalloc.stop()

    assert many < 1.5 * few, (few, many)
