"""`POST …/commands`: what may be asked of workers, and what is answered. A test plays the collector."""

import threading

import httpx
import pytest
from tests.api import serving
from tests.api.test_control import KINDS, ME, Query, alive, collecting, query, replies
from tests.api.written import WORKER

from flower_api.settings import ApiSettings
from flower_store import claims, outbox, queue_samples
from flower_store.claims import Claim, Ending
from flower_store.queue_samples import QueueSample
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

__all__ = ["alive", "query"]


HERE = "/api/v1/clusters/default/commands"


@pytest.mark.usefixtures("alive")
def test_what_is_asked_natively_is_executed_and_its_replies_are_told(api: httpx.Client, store: StoreSettings) -> None:
    with collecting(store, lambda _: replies(**{WORKER: {"ok": "tasks flagged"}})) as taken:
        answer = api.post(HERE, json={"kind": "revoke", "tasks": ["a", "b", "a"], "terminate": True, "reason": "why"})

    told = answer.json()
    assert answer.status_code == 200, answer.text
    assert (told["status"], told["reason"], told["reply"]) == (
        "done",
        "why",
        {"workers": {WORKER: {"ok": "tasks flagged"}}},
    )
    assert (told["target"], told["arguments"]) == ({"tasks": ["a", "b"]}, {"terminate": True, "signal": "SIGTERM"})
    assert [(one.kind, one.target) for one in taken] == [("revoke", {"tasks": ["a", "b"]})]
    assert api.get(answer.headers["location"]).json() == told


@pytest.mark.usefixtures("alive")
def test_without_a_reply_the_answer_says_where_its_end_will_stand(api: httpx.Client, store: StoreSettings) -> None:
    writer = Writer(store, cluster="default", transport="redis")
    issued = threading.Thread(target=lambda: took.extend(taking(writer, store)))
    took: list[Claim] = []
    issued.start()

    answer = api.post(HERE, params={"wait": 0.1}, json={"kind": "pool_grow", "worker": WORKER, "n": 2})
    issued.join()
    claims.finish(writer, ME.id, took[0].id, replies(**{WORKER: {"ok": "pool will grow"}}))
    writer.close()

    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    assert api.get(answer.headers["location"]).json()["status"] == "done"


def taking(writer: Writer, store: StoreSettings) -> list[Claim]:
    """The first command, once it is there."""
    with claims.listening(store) as heard:
        while not (found := claims.claim(writer, ME.id, KINDS, most=1, shown=lambda one: one.arguments)):
            heard(0.05)
    return list(found)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "kind"),
        ({"kind": "reboot"}, "kind"),
        ({"kind": "revoke"}, "tasks"),
        ({"kind": "revoke", "tasks": []}, "tasks"),
        ({"kind": "revoke", "tasks": ["t"] * 1_001}, "tasks"),
        ({"kind": "revoke", "tasks": ["a\0b"]}, "tasks"),
        ({"kind": "revoke", "tasks": ["t"], "signal": "SIGNOTHING"}, "signal: "),
        ({"kind": "revoke", "tasks": ["t"], "worker": WORKER}, "worker"),
        ({"kind": "revoke", "tasks": ["t"], "reason": "x" * 1_001}, "reason"),
        ({"kind": "pool_grow", "worker": WORKER, "n": 0}, "n"),
        ({"kind": "pool_grow", "worker": WORKER, "n": 2**31}, "n"),
        ({"kind": "autoscale", "worker": WORKER, "min": 3, "max": 2}, "min: "),
        ({"kind": "rate_limit", "name": "app.add", "rate_limit": "fast"}, "rate_limit"),
        ({"kind": "time_limit", "name": "app.add"}, "soft, hard: "),
        ({"kind": "purge_queue", "queue": "q"}, "messages"),
        ({"kind": "purge_queue", "queue": "q", "messages": -1}, "messages"),
        ({"kind": "purge_queue", "queue": "", "messages": 1}, "queue"),
        ({"kind": "purge_queue", "queue": "a\0b", "messages": 1}, "queue"),
        ([], "object"),
    ],
)
def test_what_cannot_be_asked_is_told_by_field_and_rule(
    standing_api: httpx.Client, document: object, words: str
) -> None:
    answer = standing_api.post(HERE, json=document)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert words in answer.json()["detail"]


def test_a_document_nested_without_end_is_a_bad_request(standing_api: httpx.Client) -> None:
    answer = standing_api.post(HERE, content=b'{"a": ' * 10_000)

    assert (answer.status_code, answer.json()["detail"]) == (400, "the body is nested too deeply")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is missing: it is a JSON object with `kind`"),
        (b"\0", "the body cannot be read: JSON is malformed"),
        (b"{", "the body cannot be read: Input data was truncated"),
        (b"\xff", "the body cannot be read: JSON is malformed"),
    ],
)
def test_a_body_that_is_no_document_is_a_bad_request(standing_api: httpx.Client, body: bytes, words: str) -> None:
    answer = standing_api.post(HERE, content=body)

    assert answer.status_code == 400
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (Ending(outcome=outbox.DONE, reply={"queue": "mail", "purged": 3}), 200),
        (Ending(outcome=outbox.FAILED, reply={"cause": "changed", "error": "4 messages wait"}), 409),
        (Ending(outcome=outbox.FAILED, reply={"cause": "refused", "error": "not permitted"}), 400),
    ],
    ids=str,
)
def test_a_purge_tells_how_many_went_or_why_none_did(
    *, alive: Writer, api: httpx.Client, store: StoreSettings, ending: Ending, status: int
) -> None:
    queue_samples.write(alive, [QueueSample(name="mail", ready=3)])
    with collecting(store, lambda _: ending) as taken:
        answer = api.post(HERE, json={"kind": "purge_queue", "queue": "mail", "messages": 3, "reason": "spam"})

    assert answer.status_code == status, answer.text
    assert [(one.target, one.arguments) for one in taken] == [({"queue": "mail"}, {"messages": 3})]
    assert api.get(answer.headers["location"]).json()["reply"] == ending.reply
    if status != 200:
        assert ending.reply["error"] in answer.json()["detail"]


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize(
    "document",
    [
        {"kind": "shutdown", "worker": "nobody@nowhere"},
        {"kind": "rate_limit", "name": "app.nobody_knows", "rate_limit": "1/m"},
        {"kind": "purge_queue", "queue": "nobody", "messages": 1},
    ],
)
def test_a_worker_a_name_and_a_queue_must_be_known(
    api: httpx.Client, query: Query, document: dict[str, str | int]
) -> None:
    answer = api.post(HERE, json=document)

    assert answer.status_code == 404, answer.text
    assert "has been heard of" in answer.json()["detail"]
    assert query("SELECT count(*) FROM command") == [(0,)]


def test_natively_too_nobody_else_s_page_and_no_reader_may(
    standing_api: httpx.Client, standing_store: StoreSettings
) -> None:
    asked = {"kind": "revoke", "tasks": ["t"]}
    with serving.client(standing_store, ApiSettings(port=0, read_only=True)) as reading:
        refused = reading.post(HERE, json=asked)
    foreign = standing_api.post(HERE, json=asked, headers={"Sec-Fetch-Site": "cross-site"})

    assert (refused.status_code, foreign.status_code) == (403, 403)


@pytest.mark.usefixtures("alive")
def test_what_was_not_done_is_an_error_with_its_reason(api: httpx.Client, store: StoreSettings) -> None:
    ending = Ending(outcome=outbox.FAILED, reply={"cause": "unavailable", "error": "the broker does not answer"})
    with collecting(store, lambda _: ending):
        answer = api.post(HERE, json={"kind": "revoke", "tasks": ["t"]})

    assert answer.status_code == 503
    assert "the broker does not answer" in answer.json()["detail"]
    assert api.get(answer.headers["location"]).json()["status"] == "failed"
