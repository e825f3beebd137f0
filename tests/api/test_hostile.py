"""Hostile input to every address of the reference: a clear 4xx that names field and rule, and never a 500."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.api import written
from tests.api.test_problems import GOOD, HOSTILE
from tests.api.written import a_run

from flower_api.app import create_app
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings

MORE = [
    "'; DROP TABLE task; --", "-15x", "a:b", "(" * 3_000, "name:" + "x" * 3_900, "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "-99999999d", "dA==", "AAAA", "id,id", "1,2", " ", "", "\\", '"', "true", "2",
]  # fmt: skip
OTHERS = {
    "slug": "hostile", "task_id": "t", "hostname": "celery@one", "command_id": "1", "group_id": "1", "name": "mail",
}  # fmt: skip
WITHOUT_COLLECTOR = {503}
"""What a collector is asked for is refused while none is alive, in a sentence; the API itself is not at fault."""


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each GET of the reference, and what it takes."""
    document = create_app(ApiSettings(), StoreSettings(database_url="postgresql://x/x")).openapi_schema.to_schema()
    for path, item in document["paths"].items():
        if "get" in item and path != "/events/stream":  # it never ends; test_stream.py has its own
            yield path, item["get"]


@pytest.fixture(scope="module")
def hostile(standing_store: StoreSettings, standing_api: httpx.Client) -> httpx.Client:
    written.into(standing_store, "hostile", a_run("t", "n"))
    return standing_api


def filled(path: str, **values: str) -> str:
    return path.format(**{name: quote(value, safe="") for name, value in {**OTHERS, **values}.items()})


def looked_at(answer: httpx.Response, name: str, value: str) -> None:
    good = GOOD | (WITHOUT_COLLECTOR if "no collector of this cluster is alive" in answer.text else set())
    assert answer.status_code in good, (str(answer.url)[:200], name, value[:60], answer.text[:300])
    if answer.status_code == 400 and answer.headers["content-type"] == "application/problem+json":
        detail = answer.json()["detail"]
        assert name in detail, (name, value[:60], detail)
        assert len(detail) > len(name) + 5, detail


@pytest.mark.parametrize(("path", "operation"), [pytest.param(*one, id=one[0]) for one in operations()])
def test_no_argument_of_any_address_breaks_it(hostile: httpx.Client, path: str, operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        for value in (*(HOSTILE if path.startswith("/api/v1/") else ()), *MORE):  # test_problems.py has Flower's
            if parameter["in"] == "query":
                answer = hostile.get(filled(path), params={name: value})
            else:
                answer = hostile.get(filled(path, **{name: value}))
            looked_at(answer, name, value)


@pytest.mark.parametrize("path", [path for path, _ in operations()])
def test_what_nobody_reads_is_refused_by_our_own_addresses(hostile: httpx.Client, path: str) -> None:
    answer = hostile.get(filled(path), params={"nonsense": "1"})
    twice = hostile.get(filled(path) + "?limit=1&limit=2&%ff=%fe&&==")

    looked_at(twice, "", "")
    if path.startswith("/api/v1/"):
        assert answer.status_code == 400
        assert "'nonsense'" in answer.json()["detail"]
    else:
        looked_at(answer, "nonsense", "1")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_our_own_addresses_take_no_other_method(hostile: httpx.Client, method: str) -> None:
    for path, _ in operations():
        if path.startswith("/api/v1/"):
            answer = hostile.request(method, filled(path), content=b'{"a": ' * 10_000)
            # Some of them take documents, and say what is wrong with this one.
            taken = (method == "POST" and path.endswith(("/commands", "/tokens"))) or (
                method == "PATCH" and "group_id" in path
            )
            taken = taken or (method == "PUT" and path.endswith("/views"))
            assert answer.status_code == (400 if taken else 405), path
