"""`/api/workers`: who is alive, and what they last answered."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.api.written import WORKER, a_heartbeat, a_run

from flower_store.writes import Writer

REPLIES: dict[str, object] = {
    "stats": {"pid": 7, "total": {"n": 3}},
    "active_queues": [{"name": "celery"}],
    "registered": ["n"],
    "conf": {},
}


def answered(writer: Writer, *hostnames: str) -> None:
    writer.write_replies(dict.fromkeys(hostnames, REPLIES), silence=timedelta(minutes=5))


def test_workers_are_told_by_their_last_answers(api: httpx.Client, writer: Writer) -> None:
    before = datetime.now(UTC).timestamp()
    answered(writer, WORKER, "celery@two")

    document = api.get("/api/workers").json()

    assert set(document) == {WORKER, "celery@two"}
    assert document[WORKER].pop("timestamp") >= before - 1
    assert document[WORKER] == REPLIES


def test_one_worker_can_be_asked_for(api: httpx.Client, writer: Writer) -> None:
    answered(writer, WORKER, "celery@two")

    document = api.get("/api/workers", params={"workername": "celery@two"}).json()

    assert set(document) == {"celery@two"}


@pytest.mark.parametrize("name", ["celery@nobody", "a\0b", "x" * 5000])
def test_an_unknown_worker_is_said_in_flowers_words(standing_api: httpx.Client, name: str) -> None:
    answer = standing_api.get("/api/workers", params={"workername": name})

    assert (answer.status_code, answer.text) == (404, f"Unknown worker '{name.replace(chr(0), ' ')}'")


def test_a_worker_that_never_answered_is_not_told_but_counts(api: httpx.Client, writer: Writer) -> None:
    writer.write(a_run("t", "n", hostname="celery@silent"))

    listed, alive = api.get("/api/workers").json(), api.get("/api/workers?status=1").json()

    assert (listed, list(alive)) == ({}, ["celery@silent"])


def test_status_says_who_is_alive(api: httpx.Client, writer: Writer) -> None:
    writer.write([], [a_heartbeat(at=datetime.now(UTC))])
    writer.write(a_run("t", "n", hostname="celery@gone"))

    document = api.get("/api/workers", params={"status": "yes"}).json()

    assert document == {WORKER: True, "celery@gone": False}


@pytest.mark.parametrize("name", ["refresh", "status"])
@pytest.mark.parametrize("value", ["maybe", "2", ""])
def test_a_bad_flag_is_refused_in_flowers_words(standing_api: httpx.Client, name: str, value: str) -> None:
    answer = standing_api.get("/api/workers", params={name: value})

    assert (answer.status_code, answer.text) == (400, f"Invalid argument '{value}' of type 'bool'")


def test_refreshing_is_understood(api: httpx.Client, writer: Writer) -> None:
    answered(writer, WORKER)

    plain, refreshed = api.get("/api/workers"), api.get("/api/workers", params={"refresh": "TRUE"})

    assert refreshed.json() == plain.json()
