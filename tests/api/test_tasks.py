"""`/api/tasks`, `/api/task/info` and `/api/task/types` beside the tables of Flower's reference."""

import json
from datetime import datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
from msgspec.structs import replace
from tests.api import written
from tests.api.written import START, WORKER, a_run, an_event

from flower_store.events import TaskEvent
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

SORTED = [
    an_event("received", "one", 0, name="b"), an_event("started", "one", 1),
    *a_run("two", "a", 10),
    an_event("received", "three", 20, name="c"), an_event("started", "three", 21),
    an_event("failed", "three", 22, exception="E()"),
]  # fmt: skip
FILTERED = [
    *a_run("pay", "shop.pay"),
    *a_run("mail", "shop.mail", 120, hostname="celery@two"),
    an_event("sent", "sent", 300, name="shop.later"),
]
KEYS = [
    "uuid", "name", "state", "received", "sent", "started", "rejected", "succeeded", "failed", "retried", "revoked",
    "args", "kwargs", "eta", "expires", "retries", "worker", "result", "exception", "timestamp", "runtime", "traceback",
    "exchange", "routing_key", "clock", "client", "root", "root_id", "parent", "parent_id", "children",
]  # fmt: skip
JSON = "application/json; charset=UTF-8"
TEXT = "text/plain; charset=UTF-8"


@pytest.fixture(scope="module")
def sorted_cluster(standing_store: StoreSettings) -> str:
    written.into(standing_store, "sorted", SORTED)
    return "sorted"


@pytest.fixture(scope="module")
def filtered_cluster(standing_store: StoreSettings) -> str:
    written.into(standing_store, "filtered", FILTERED)
    return "filtered"


def ids(response: httpx.Response) -> list[str]:
    """The keys of the answer, in order; one that stands there twice is here twice."""
    assert response.status_code == 200, response.text
    pairs: list[tuple[str, object]] = json.loads(response.text, object_pairs_hook=list)
    return [key for key, _ in pairs]


def local(second: int) -> str:
    """A moment as Flower's date filters take it: this machine's time, to the minute."""
    return f"{(START + timedelta(seconds=second)).astimezone():%Y-%m-%d %H:%M}"


def test_a_task_has_the_keys_of_flower_in_their_order(api: httpx.Client, writer: Writer) -> None:
    writer.write(a_run("t", "shop.pay"))

    answer = api.get("/api/task/info/t")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON
    assert list(answer.json()) == KEYS


def test_a_task_tells_everything_that_its_events_told(api: httpx.Client, writer: Writer) -> None:
    writer.write([
        an_event("sent", "t", 0, hostname="gen1@shop", name="shop.pay", args="(1,)", kwargs="{'a': 2}", retries=0,
                 queue="fast", exchange="ex", routing_key="rk", eta="2026-03-01T12:00:05+00:00",
                 expires="2026-03-02T12:00:05+00:00", root_id="r", parent_id="p"),
        an_event("received", "t", 1.5, name="shop.pay", args="(1,)", kwargs="{'a': 2}", retries=0,
                 eta="2026-03-01T12:00:05+00:00", expires="2026-03-02T12:00:05+00:00", root_id="r", parent_id="p"),
        an_event("started", "t", 2),
        an_event("succeeded", "t", 3, result="'ok'", runtime=0.75),
        an_event("received", "child", 4, name="shop.mail", root_id="r", parent_id="t"),
    ])  # fmt: skip
    epoch = START.timestamp()

    answer = api.get("/api/task/info/t")

    assert answer.json() == {
        "uuid": "t", "name": "shop.pay", "state": "SUCCESS", "received": epoch + 1.5, "sent": epoch,
        "started": epoch + 2, "rejected": None, "succeeded": epoch + 3, "failed": None, "retried": None,
        "revoked": None, "args": "(1,)", "kwargs": "{'a': 2}", "eta": "2026-03-01T12:00:05+00:00",
        "expires": "2026-03-02T12:00:05+00:00", "retries": 0, "worker": WORKER, "result": "'ok'", "exception": None,
        "timestamp": epoch + 3, "runtime": 0.75, "traceback": None, "exchange": "ex", "routing_key": "rk", "clock": 4,
        "client": "gen1@shop", "root": "r", "root_id": "r", "parent": "p", "parent_id": "p", "children": ["child"],
    }  # fmt: skip


def test_the_clock_of_a_task_is_that_of_its_last_event(api: httpx.Client, writer: Writer) -> None:
    received, started = an_event("received", "t", 0, name="shop.pay"), an_event("started", "t", 1)
    writer.write([replace(received, clock=900), replace(started, clock=20)])
    writer.write([an_event("received", "tied", 3, name="shop.pay"), an_event("started", "tied", 3)])
    writer.write([replace(an_event("succeeded", "tied", 3), clock=30)])

    listed = api.get("/api/tasks").json()

    assert {task: one["clock"] for task, one in listed.items()} == {"t": 20, "tied": 30}
    assert {task: api.get(f"/api/task/info/{task}").json()["clock"] for task in listed} == {"t": 20, "tied": 30}


def test_a_last_event_that_an_attempt_displaced_leaves_the_largest_clock(api: httpx.Client, writer: Writer) -> None:
    again = replace(an_event("received", "t", 1, name="shop.pay", retries=1), clock=50)
    started, late = replace(an_event("started", "t", 2), clock=40), an_event("received", "t", 9, retries=0)
    writer.write([again, started, replace(late, clock=900)])

    told = api.get("/api/task/info/t").json()

    assert (told["timestamp"], told["clock"]) == (START.timestamp() + 9, 50)


def test_a_listed_task_has_its_worker_last(api: httpx.Client, writer: Writer) -> None:
    writer.write(a_run("t", "shop.pay"))

    answer = api.get("/api/tasks")

    assert list(answer.json()["t"]) == [*(key for key in KEYS if key != "worker"), "worker"]
    assert answer.headers["content-type"] == JSON


def test_a_task_without_a_worker_has_none_in_info_and_no_key_in_the_list(api: httpx.Client, writer: Writer) -> None:
    writer.write([an_event("sent", "t", name="shop.pay")])

    info, listed = api.get("/api/task/info/t").json(), api.get("/api/tasks").json()["t"]

    assert info["worker"] is None
    assert "worker" not in listed


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (
            an_event("retried", second=2, exception="E()", traceback="tb"),
            {"state": "RETRY", "exception": "E()", "traceback": "tb"},
        ),
        (
            an_event("failed", second=2, exception="F()", traceback="tb"),
            {"state": "FAILURE", "exception": "F()", "traceback": "tb"},
        ),
        (an_event("revoked", second=2, terminated=True), {"state": "REVOKED", "exception": None}),
        (an_event("rejected", second=2, requeue=False), {"state": "REJECTED", "result": None}),
    ],
)
def test_each_end_has_its_own_time(
    api: httpx.Client, writer: Writer, end: TaskEvent, expected: dict[str, object]
) -> None:
    writer.write([an_event("received", name="n"), an_event("started", second=1), end])

    document = api.get("/api/task/info/t").json()

    ends = {name: document[name] for name in ("retried", "failed", "revoked", "rejected", "succeeded")}
    assert ends == dict.fromkeys(ends) | {end.type.removeprefix("task-"): START.timestamp() + 2}
    assert expected.items() <= document.items()


def test_a_cancelled_task_was_not_retried(api: httpx.Client, writer: Writer) -> None:
    writer.write([an_event("received", name="n"), an_event("started", second=1), an_event("cancelled", second=2)])

    document = api.get("/api/task/info/t").json()

    assert document["retried"] is None


@pytest.mark.parametrize("task_id", ["a/b", "a//b/", "é ü", "%41", "a?b#c", "x" * 1000, "<script>"])
def test_any_text_is_an_id(api: httpx.Client, writer: Writer, task_id: str) -> None:
    writer.write([an_event("sent", task_id, name="n")])

    answer = api.get(f"/api/task/info/{quote(task_id, safe='')}")

    assert answer.json()["uuid"] == task_id


@pytest.mark.parametrize("task_id", ["nobody", "", "a\0b", "<b>", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_task_is_said_in_flowers_words(standing_api: httpx.Client, task_id: str) -> None:
    answer = standing_api.get(f"/api/task/info/{quote(task_id, safe='')}")

    assert (answer.status_code, answer.text) == (404, f"Unknown task '{task_id}'")
    assert answer.headers["content-type"] == TEXT


def test_an_id_that_is_no_text_is_refused_in_flowers_words(standing_api: httpx.Client) -> None:
    answer = standing_api.get("/api/task/info/%ff")

    assert (answer.status_code, answer.text) == (400, r"Invalid unicode in url: b'\xff'")


def test_tasks_are_newest_first(api: httpx.Client, writer: Writer) -> None:
    writer.write([*a_run("old", "n"), *a_run("new", "n", 60), *a_run("middle", "n", 30)])

    assert ids(api.get("/api/tasks")) == ["new", "middle", "old"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("name", ["two", "one", "three"]),
        ("-name", ["three", "one", "two"]),
        ("state", ["three", "one", "two"]),
        ("-state", ["two", "one", "three"]),
        ("received", ["one", "two", "three"]),
        ("-received", ["three", "two", "one"]),
        ("started", ["one", "two", "three"]),
        ("--started", ["three", "two", "one"]),
    ],
)
def test_tasks_are_sorted(standing_api: httpx.Client, order: str, expected: list[str], sorted_cluster: str) -> None:
    assert ids(standing_api.get("/api/tasks", params={"sort_by": order, "cluster": sorted_cluster})) == expected


def test_an_unknown_order_is_refused_in_flowers_words(standing_api: httpx.Client) -> None:
    answer = standing_api.get("/api/tasks", params={"sort_by": "-uuid"})

    assert answer.status_code == 400
    assert answer.text == "Invalid sort_by '-uuid', expected one of name, received, started, state"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"taskname": "shop.pay"}, ["pay"]),
        ({"taskname": "shop"}, []),
        ({"taskname": "All"}, ["sent", "mail", "pay"]),
        ({"taskname": ""}, ["sent", "mail", "pay"]),
        ({"taskname": "SHOP.Pay"}, ["pay"]),
        ({"taskname": "shop.*"}, ["sent", "mail", "pay"]),
        ({"workername": "celery@two"}, ["mail"]),
        ({"workername": "CELERY@TWO"}, ["mail"]),
        ({"workername": "All"}, ["sent", "mail", "pay"]),
        ({"state": "SUCCESS"}, ["mail", "pay"]),
        ({"state": "success"}, ["mail", "pay"]),
        ({"state": "PENDING"}, ["sent"]),
        ({"state": "All"}, ["sent", "mail", "pay"]),
        ({"state": "NEVER"}, []),
        ({"state": "SUCCESS", "workername": WORKER, "taskname": "shop.pay"}, ["pay"]),
        ({"received_start": local(60)}, ["mail"]),
        ({"received_end": local(60)}, ["pay"]),
        ({"received_start": local(0), "received_end": local(180)}, ["mail", "pay"]),
        ({"limit": "1"}, ["sent"]),
        ({"limit": " 2 "}, ["sent", "mail"]),
        ({"limit": "0"}, []),
        ({"limit": "-3"}, []),
        ({"offset": "1"}, ["mail", "pay"]),
        ({"offset": "-1"}, ["sent", "mail", "pay"]),
        ({"limit": "1", "offset": "2"}, ["pay"]),
        ({"offset": "99999999999999999999999"}, []),
        ({"limit": "99999999999999999999999"}, ["sent", "mail", "pay"]),
        ({"nobody_knows": "this"}, ["sent", "mail", "pay"]),
    ],
)
def test_tasks_are_filtered(
    standing_api: httpx.Client, arguments: dict[str, str], expected: list[str], filtered_cluster: str
) -> None:
    assert ids(standing_api.get("/api/tasks", params=arguments | {"cluster": filtered_cluster})) == expected


@pytest.mark.parametrize("name", ["received_start", "received_end"])
@pytest.mark.parametrize("value", ["yesterday", "2026-03-01", "2026-13-01 00:00", "0001-01-01 00:00", "9" * 5000])
def test_a_bad_date_is_refused_in_flowers_words(standing_api: httpx.Client, name: str, value: str) -> None:
    answer = standing_api.get("/api/tasks", params={name: value})

    words = "Invalid received_start or received_end, expected format 'YYYY-MM-DD HH:MM'"
    assert (answer.status_code, answer.text) == (400, words)


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("value", ["x", "1.5", "", "1e3", "0x10"])
def test_a_bad_number_is_refused_in_flowers_words(standing_api: httpx.Client, name: str, value: str) -> None:
    answer = standing_api.get("/api/tasks", params={name: value})

    assert (answer.status_code, answer.text) == (400, f"Invalid argument '{value}' of type 'int'")
    assert answer.headers["content-type"] == TEXT


def test_an_answer_is_bounded_and_says_how_to_go_on(api: httpx.Client, writer: Writer) -> None:
    writer.write([an_event("sent", f"t{number:05}", number, name="n") for number in range(10_003)])

    first = api.get("/api/tasks", params={"taskname": "n"})
    rest = api.get(first.links["next"]["url"])

    assert len(ids(first)) == 10_000
    assert ids(rest) == ["t00002", "t00001", "t00000"]
    assert "next" not in rest.links


@pytest.mark.parametrize("order", ["received", "-name"])
def test_pages_in_another_order_hold_each_task_once(api: httpx.Client, writer: Writer, order: str) -> None:
    writer.write([an_event("received", f"t{number:05}", number % 7, name="n") for number in range(1_100)])

    found = ids(api.get("/api/tasks", params={"sort_by": order}))

    assert len(found) == len(set(found)) == 1_100


def test_names_of_tasks_are_sorted(api: httpx.Client, writer: Writer) -> None:
    writer.write([*a_run("1", "b"), *a_run("2", "a.b"), *a_run("3", "b")])

    answer = api.get("/api/task/types")

    assert answer.json() == {"task-types": ["a.b", "b"]}
    assert answer.headers["content-type"] == JSON


def test_an_empty_database_answers_with_nothing(standing_api: httpx.Client) -> None:
    answers = [standing_api.get(path).json() for path in ("/api/tasks", "/api/task/types", "/api/workers")]

    assert answers == [{}, {"task-types": []}, {}]


def test_an_answer_that_the_client_has_is_not_sent_again(api: httpx.Client, writer: Writer) -> None:
    writer.write(a_run("t", "n"))
    first = api.get("/api/tasks")

    again = api.get("/api/tasks", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_two_replicas_show_the_same(api: httpx.Client, second_api: httpx.Client, writer: Writer) -> None:
    writer.write([*a_run("t", "n"), an_event("sent", "u", 9, name="m")])

    texts = [[one.get(path).text for path in ("/api/tasks", "/api/task/types")] for one in (api, second_api)]

    assert texts[0] == texts[1]
    assert set(json.loads(texts[0][0])) == {"t", "u"}


def test_a_cluster_can_be_named(api: httpx.Client, writer: Writer, other_writer: Writer) -> None:
    writer.write(a_run("here", "n"))
    other_writer.write(a_run("there", "n"))

    found = [ids(api.get("/api/tasks", params=named)) for named in ({}, {"cluster": "other"})]

    assert found == [["here"], ["there"]]
    assert api.get("/api/tasks", params={"cluster": "no\0where"}).status_code == 404


def test_times_are_seconds_of_the_epoch(api: httpx.Client, writer: Writer) -> None:
    writer.write(a_run("t", "n", 0.123456))

    received = api.get("/api/task/info/t").json()["received"]

    assert datetime.fromtimestamp(received, tz=START.tzinfo) == START + timedelta(seconds=0.123456)
