"""What goes wrong is told to the client in a sentence, and never as a traceback; hostile input is never a 500."""

import itertools
import json
import socket

import httpx
import pytest
from litestar import get
from litestar.params import FromQuery
from structlog.testing import capture_logs
from tests.api import serving

from flower_store import errors
from flower_store.settings import StoreSettings

HOSTILE = [
    "\0", "%00", "\x1b[31m", "x" * 20_000, "-1", "9" * 4_000, "9" * 5_000, "1e999", "NaN", "[]", "{}", "null", "*",
    "%", "_",
    "' OR 1=1 --", "<svg/onload=1>", "\N{PILE OF POO}" * 100, "\N{RIGHT-TO-LEFT OVERRIDE}", "../../etc/passwd", "All",
    "\u0130", "\ufffe",
]  # fmt: skip
ARGUMENTS = [
    "limit", "offset", "sort_by", "workername", "taskname", "state", "received_start", "received_end", "search",
    "cluster", "status", "refresh", "c", "unknown",
]  # fmt: skip
ADDRESSES = ["/api/tasks", "/api/task/types", "/api/workers", "/api/task/info/t", "/events/stream", "/readyz"]
TARGETS = [
    "/api/tasks?taskname=%ff%fe", "/api/tasks?%00=%00", "/api/tasks?limit=1&limit=2", "/api/tasks?&&&==", "/%00",
    "/%ff", "/api/task/info/%ff", "/api/task/info/%2e%2e/%2e%2e", "//api//tasks", "/api/tasks/", "/api/tasks;x", "*",
    "/api/nowhere", "/events/stream?c=%ff", "/api/task/info/" + "%2f" * 2_000, "/api/openapi/../../x",
    "http://other/api/tasks",
]  # fmt: skip
GOOD = {200, 204, 400, 404, 405}


@get("/broken")
async def broken() -> str:
    raise RuntimeError("S3cret at /srv/flower")


@get("/slow")
async def slow() -> str:
    raise errors.StatementTimeout("canceling statement S3cret")


@get("/typed")
async def typed(limit: FromQuery[int]) -> str:
    return str(limit)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_argument_is_a_server_error(standing_api: httpx.Client, address: str) -> None:
    for name, value in itertools.product(ARGUMENTS, HOSTILE):
        with standing_api.stream("GET", address, params={name: value}) as answer:
            assert answer.status_code in GOOD, (name, value[:40])
            if answer.status_code != 200:
                assert b"Traceback" not in answer.read()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "NONSENSE"])
def test_no_address_is_a_server_error(standing_api: httpx.Client, method: str) -> None:
    for target in TARGETS:
        request = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

        answer = _raw(standing_api, request.encode())

        assert int(answer.split(b" ", 2)[1]) in GOOD, (target[:80], answer[:200])
        assert b"Traceback" not in answer


def _raw(api: httpx.Client, request: bytes) -> bytes:
    with socket.create_connection((api.base_url.host, api.base_url.port or 0), 5) as connection:
        connection.sendall(request)
        return connection.recv(65_536)


def test_our_own_addresses_answer_with_problem_details(standing_api: httpx.Client) -> None:
    answer = standing_api.get("/nowhere")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "title": "Not Found", "status": 404, "detail": "Not Found", "request": answer.headers["x-request-id"],
    }  # fmt: skip


def test_flowers_addresses_answer_in_plain_text(standing_api: httpx.Client) -> None:
    answer = standing_api.get("/api/nowhere")

    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"


def test_a_failure_says_nothing_of_the_inside(store: StoreSettings) -> None:
    with capture_logs() as logged, serving.client(store, extra_handlers=(broken,)) as client:
        answer = client.get("/broken?token=Secr3t")

    told = next(entry for entry in logged if entry["event"] == "request failed")
    assert answer.status_code == 500
    assert "S3cret" not in answer.text
    assert "/srv" not in answer.text
    assert (told["request"], told["path"]) == (answer.json()["request"], "/broken")
    assert str(told["exc_info"]) == "S3cret at /srv/flower"


def test_a_read_that_takes_too_long_is_a_time_out(store: StoreSettings) -> None:
    with serving.client(store, extra_handlers=(slow,)) as client:
        answer = client.get("/slow")

    assert answer.status_code == 504
    assert "S3cret" not in answer.text
    assert answer.headers["retry-after"] == "5"


def test_a_bad_value_is_told_by_field_and_rule(store: StoreSettings) -> None:
    with serving.client(store, extra_handlers=(typed,)) as client:
        answer = client.get("/typed", params={"limit": "many"})

    assert answer.status_code == 400
    assert answer.json()["detail"] == "limit: Expected `int`, got `str`"


def test_a_wrong_method_is_told_with_the_right_ones(standing_api: httpx.Client) -> None:
    answer = standing_api.delete("/api/tasks")

    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


def test_problem_details_are_json_whatever_the_address(standing_api: httpx.Client) -> None:
    answer = standing_api.get("/%22%3Cscript%3E%00")

    assert json.loads(answer.content)["status"] == 404
