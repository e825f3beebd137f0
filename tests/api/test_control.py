"""Control without a collector, and with one that a test plays: who may ask, what is refused, what is answered."""

import json
import math
import threading
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from tests.api import serving, written
from tests.api.test_gate import WORDS, asked_from
from tests.api.written import WORKER, a_heartbeat

from flower_api.settings import ApiSettings
from flower_store import claims, outbox
from flower_store.claims import Claim, Ending
from flower_store.settings import StoreSettings
from flower_store.writes import Instance, Writer

POSTS = (
    *(f"/api/worker/{each}/w" for each in ("shutdown", "queue/add-consumer", "queue/cancel-consumer")),
    *(f"/api/worker/pool/{each}/w" for each in ("restart", "grow", "shrink", "autoscale")),
    *(f"/api/task/{each}/t" for each in ("revoke", "abort", "timeout", "rate-limit")),
    *(f"/api/task/{each}/t" for each in ("apply", "async-apply", "send-task")),
)  # fmt: skip
ME = Instance(id=uuid.uuid4(), hostname="here", pid=1, version="3", promise="")
KINDS = outbox.CONTROL | {
    outbox.SEND,
    outbox.APPLY,
    outbox.APPLY_ASYNC,
    outbox.ABORT,
    outbox.LOOKUP,
    outbox.PURGE,
    outbox.PEEK,
}
Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    with psycopg.connect(database_url, autocommit=True) as connection:

        def run(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
            return connection.execute(statement.encode(), parameters or None).fetchall()

        yield run


@pytest.fixture
def alive(writer: Writer) -> Writer:
    """The writer of a collector that lives, and has heard of a worker."""
    writer.write([], [a_heartbeat()])
    writer.beat(ME, stored=0, aside=0, lag=None)
    return writer


@contextmanager
def collecting(store: StoreSettings, act: Callable[[Claim], Ending]) -> Generator[list[Claim]]:
    """A collector that takes what comes, and ends it as `act` says."""
    writer, taken, over = Writer(store, cluster="default", transport="redis"), list[Claim](), threading.Event()

    def work() -> None:
        with claims.listening(store) as heard:
            while not over.is_set():
                for claim in claims.claim(writer, ME.id, KINDS, most=9, shown=lambda one: one.arguments):
                    taken.append(claim)
                    claims.finish(writer, ME.id, claim.id, act(claim))
                heard(0.05)
        writer.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join()


def replies(**workers: object) -> Ending:
    return Ending(outcome=outbox.DONE, reply={"workers": workers})


@pytest.mark.parametrize("path", POSTS)
def test_the_gate_stands_before_control(store: StoreSettings, path: str) -> None:
    answer = asked_from("192.0.2.7", path, store, ApiSettings(), method="POST")

    assert (answer.status_code, answer.text) == (401, WORDS)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, "Cross-site request forbidden"),
        ({"Sec-Fetch-Site": "same-site"}, "Cross-site request forbidden"),
        ({"Origin": "http://evil.example"}, "Cross-origin request forbidden"),
        ({"Origin": "null"}, "Cross-origin request forbidden"),
        ({"Origin": "http://[::1"}, "Cross-origin request forbidden"),
    ],
)
@pytest.mark.parametrize("path", POSTS)
def test_a_page_of_another_site_can_do_nothing(
    standing_api: httpx.Client, path: str, headers: dict[str, str], words: str
) -> None:
    answer = standing_api.post(path, headers=headers)

    assert (answer.status_code, answer.text) == (403, words)


@pytest.mark.parametrize("path", ["/api/workers", "/api/tasks", "/api/v1/clusters", "/metrics", "/healthcheck"])
def test_a_page_of_another_site_may_read_nothing(standing_api: httpx.Client, path: str) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    answers = [standing_api.request(method, path, headers=asked) for method in ("GET", "OPTIONS")]

    assert [name for answer in answers for name in answer.headers if name.startswith("access-control-")] == []


def test_our_own_page_may(standing_api: httpx.Client) -> None:
    own = str(standing_api.base_url).rstrip("/")
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": own}):
        assert standing_api.post(POSTS[0], headers=headers).status_code == 404


def test_read_only_refuses_all_that_changes_something(standing_store: StoreSettings) -> None:
    with serving.client(standing_store, ApiSettings(port=0, read_only=True)) as client:
        answers = {client.post(path).text for path in POSTS}
        reading = client.get("/api/task/types")

    assert answers == {"Read only mode is enabled"}
    assert reading.status_code == 200


def test_where_nobody_ever_collected_it_is_said(api: httpx.Client) -> None:
    answer = api.post("/api/task/revoke/t")

    assert answer.status_code == 503
    assert "no collector" in answer.text


def test_without_a_collector_nothing_is_done_later(api: httpx.Client, alive: Writer, query: Query) -> None:
    alive.stopped(ME)

    answer = api.post("/api/task/send-task/t", json={"args": ["hunter2"]})

    assert answer.status_code == 503
    assert "start flower-collector" in answer.text
    assert claims.claim(alive, ME.id, KINDS, most=9, shown=lambda one: one.arguments) == []
    assert query("SELECT payload FROM command") == [(None,)]
    assert told(api, 1)["status"] == "expired"


def test_what_no_collector_takes_is_withdrawn(api: httpx.Client, alive: Writer, query: Query) -> None:
    answer = api.post("/api/task/send-task/t", json={"args": ["hunter2"]})

    assert answer.status_code == 503
    assert "nothing was done and nothing will be" in answer.text
    assert claims.claim(alive, ME.id, KINDS, most=9, shown=lambda one: one.arguments) == []
    assert query("SELECT payload FROM command") == [(None,)]


@pytest.mark.usefixtures("alive")
def test_the_log_says_who_asked_from_where_why_and_with_which_outcome(api: httpx.Client, store: StoreSettings) -> None:
    with collecting(store, lambda _: replies(**{WORKER: {"ok": "pool will grow"}})):
        answer = api.post(
            f"/api/worker/pool/grow/{WORKER}",
            data={"n": "3", "reason": "Monday"},
            headers={"X-Request-Id": "r-1"},
        )

    assert answer.json() == {"message": f"Growing '{WORKER}' worker's pool by 3"}
    found = told(api, 1)
    assert found["actor"] == "anonymous"
    assert found["origin"] == "127.0.0.1, request r-1"
    assert found["reason"] == "Monday"
    assert (found["kind"], found["target"], found["arguments"]) == ("pool_grow", {"worker": WORKER}, {"n": 3})
    assert (found["status"], found["collector"]) == ("done", "here")
    assert found["reply"] == {"workers": {WORKER: {"ok": "pool will grow"}}}


@pytest.mark.usefixtures("alive")
def test_a_reply_that_does_not_come_in_time_is_202_with_the_commands_address(
    api: httpx.Client, store: StoreSettings
) -> None:
    go_on = threading.Event()

    def slow(_: Claim) -> Ending:
        go_on.wait(60)
        return replies(**{WORKER: {"ok": "pool will grow"}})

    with collecting(store, slow):
        answer = api.post(f"/api/worker/pool/grow/{WORKER}")
        running = api.get(answer.headers["location"]).json()
        go_on.set()

    assert answer.status_code == 202
    assert answer.json()["command"] == answer.headers["location"] == "/api/v1/clusters/default/commands/1"
    assert running["status"] == "running"
    assert api.get(answer.json()["command"]).json()["status"] == "done"


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({WORKER: {"error": "ValueError('no')"}}, "ValueError('no')"),
        ({}, "Unknown reason"),
        ({"celery@other": {"ok": "mine"}}, "Unknown reason"),
    ],
)
def test_a_refusal_is_told_in_flowers_words(
    api: httpx.Client, store: StoreSettings, reply: dict[str, object], words: str
) -> None:
    with collecting(store, lambda _: replies(**reply)):
        answer = api.post(f"/api/worker/pool/shrink/{WORKER}")

    assert (answer.status_code, answer.text) == (403, f"Failed to shrink '{WORKER}' worker's pool: {words}")


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize(
    ("cause", "status", "words"),
    [
        ("unavailable", 503, "Broker or result backend unavailable"),
        ("no_backend", 503, ""),
        ("refused", 400, "Invalid option: why"),
        ("late", 503, "why"),
        ("defect", 500, "this failed: command 1 says why"),
    ],
)
def test_what_was_not_done_is_told(
    api: httpx.Client, store: StoreSettings, cause: str, status: int, words: str
) -> None:
    ending = Ending(outcome=outbox.FAILED, reply={"cause": cause, "error": "why"})
    with collecting(store, lambda _: ending):
        answer = api.post("/api/task/send-task/t")

    assert (answer.status_code, answer.text) == (status, words)


@pytest.mark.usefixtures("alive")
def test_what_a_task_is_sent_with_is_gone_once_it_is_taken(
    api: httpx.Client, store: StoreSettings, query: Query
) -> None:
    answered = Ending(outcome=outbox.DONE, reply={"task": "t"}, answer='{"task-id": "t"}')
    with collecting(store, lambda _: answered) as taken:
        answer = api.post("/api/task/send-task/t", json={"args": ["hunter2"], "queue": "q"})

    assert answer.json() == {"task-id": "t"}
    assert json.loads(taken[0].payload or "") == {"args": ["hunter2"], "kwargs": {}, "options": {"queue": "q"}}
    assert "hunter2" not in str(query("SELECT to_jsonb(command) FROM command"))


@pytest.mark.usefixtures("alive")
def test_a_task_is_sent_the_way_that_such_tasks_went_last_unless_the_request_says_one(
    api: httpx.Client, store: StoreSettings
) -> None:
    answered = Ending(outcome=outbox.DONE, reply={"task": "t"}, answer='{"task-id": "t"}')
    with collecting(store, lambda _: answered) as taken:
        written.into(store, "default", [written.an_event("sent", "s", 0, name="t", queue="mail", routing_key="mail")])
        for body in ({}, {"queue": "q"}, {"routing_key": "k"}, {"queue": None}):
            api.post("/api/task/send-task/t", json=body)
        api.post("/api/task/send-task/unknown")

    way = {"route": {"queue": "mail", "exchange": "", "routing_key": ""}}
    assert [one.arguments for one in taken] == [way, {}, {}, way, {}]


HOSTILE: Sequence[tuple[str, dict[str, str], int]] = (
    ("/api/worker/pool/grow/%00", {}, 404),
    ("/api/worker/pool/grow/" + "w" * 9_000, {}, 404),
    (f"/api/worker/pool/grow/{WORKER}", {"n": "9" * 400}, 400),
    (f"/api/worker/pool/grow/{WORKER}", {"n": "1e3"}, 400),
    (f"/api/worker/queue/add-consumer/{WORKER}", {"queue": "q" * 600}, 400),
    ("/api/task/revoke/%00", {}, 400),
    ("/api/task/revoke/" + "t" * 2_000, {}, 400),
    ("/api/task/revoke/%FF", {}, 400),
    ("/api/task/revoke/t", {"reason": "r" * 2_000}, 400),
    ("/api/task/revoke/t", {"cluster": "no'; DROP TABLE task --"}, 404),
    ("/api/task/timeout/t", {"workername": WORKER, "soft": "nan"}, 400),
    ("/api/task/timeout/t", {"workername": WORKER, "soft": "inf"}, 400),
    ("/api/task/rate-limit/%00", {"workername": WORKER, "ratelimit": "1"}, 404),
)


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize(("path", "params", "status"), HOSTILE)
def test_hostile_arguments_are_refused_with_a_sentence(
    api: httpx.Client, path: str, params: dict[str, str], status: int
) -> None:
    for where in ("params", "data"):
        answer = api.post(path, **{where: params})  # type: ignore[arg-type]

        assert answer.status_code == status
        assert answer.text


BODIES = (
    b"\xff",
    b"[" * 100_000,
    b'{"args": ' + b"[" * 90 + b"]" * 90 + b"}",
    b'{"kwargs": 1}',
    b'{"task_id": 7}',
    b'{"task_id": ""}',
    b'{"task_id": "\\u0000"}',
    b'{"producer": {}}',
    b'"text"',
)


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize("body", BODIES)
def test_hostile_bodies_are_refused_with_a_sentence(api: httpx.Client, body: bytes) -> None:
    answer = api.post("/api/task/send-task/t", content=body)

    assert answer.status_code == 400
    assert answer.text


@pytest.mark.usefixtures("alive")
def test_odd_values_that_json_can_say_reach_the_collector_as_they_are(api: httpx.Client, store: StoreSettings) -> None:
    answered = Ending(outcome=outbox.DONE, answer="{}")
    with collecting(store, lambda _: answered) as taken:
        api.post("/api/task/send-task/t", content=b'{"args": ["\\u0000", "\\ud800", 1e400, NaN]}')

    nul, half, endless, none = json.loads(taken[0].payload or "")["args"]
    assert (nul, half, endless) == ("\0", "\ud800", float("inf"))
    assert math.isnan(none)


@pytest.mark.usefixtures("alive")
def test_the_log_is_paged_and_leaves_lookups_out(api: httpx.Client, store: StoreSettings) -> None:
    with collecting(store, lambda _: Ending(outcome=outbox.DONE, answer="{}")):
        for number in range(5):
            api.post(f"/api/task/revoke/t{number}")
        api.get("/api/task/result/t")

    seen: list[str] = []
    after = None
    while True:
        params = {"limit": "2"} | ({"after": after} if after else {})
        page = api.get("/api/v1/clusters/default/commands", params=params).json()
        seen += [one["target"]["task"] for one in page["commands"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ["t4", "t3", "t2", "t1", "t0"]
    lookups = api.get("/api/v1/clusters/default/commands", params={"kind": "result"}).json()["commands"]
    assert [one["kind"] for one in lookups] == ["result"]


def test_a_command_that_is_not_there_is_404(standing_api: httpx.Client) -> None:
    answer = standing_api.get("/api/v1/clusters/default/commands/7")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    for odd in ("0", "-1", str(2**70), "x"):
        assert standing_api.get(f"/api/v1/clusters/default/commands/{odd}").status_code in {400, 404}


def told(api: httpx.Client, number: int) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/api/v1/clusters/default/commands/{number}").json()
    return found
