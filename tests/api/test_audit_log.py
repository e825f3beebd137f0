"""`/api/v1/audit`: commands of every cluster, logins, tokens and refusals, for whoever may see them."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from tests.api import serving, written

from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings

SETTINGS = ApiSettings(
    port=0,
    basic_auth=("admin:a", "olga:o", "vic:v"),
    role=("admin=admin", "operator/default=olga", "viewer=vic"),
)
ADMIN, OLGA, VIC = ("admin", "a"), ("olga", "o"), ("vic", "v")


@pytest.fixture
def client(store: StoreSettings) -> Iterator[httpx.Client]:
    """After a token, a refusal in each of two clusters, a command that nobody took, and a wrong password."""
    for cluster in ("default", "prod"):
        written.into(store, cluster, written.a_run("t", "shop.pay"))
    with serving.client(store, SETTINGS) as client:
        client.post("/api/v1/tokens", json={"name": "ci", "role": "viewer"}, auth=ADMIN)
        client.post("/api/v1/clusters/default/commands", json={"kind": "revoke", "tasks": ["t"]}, auth=VIC)
        client.post("/api/v1/clusters/prod/commands", json={"kind": "revoke", "tasks": ["t"]}, auth=VIC)
        revoke = {"kind": "revoke", "tasks": ["t"], "reason": "=1+1"}
        client.post("/api/v1/clusters/default/commands", params={"wait": 0}, json=revoke, auth=OLGA)
        client.get("/api/tasks", auth=("admin", "wrong"))
        yield client


def entries(client: httpx.Client, **asked: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/audit", params=asked, auth=ADMIN)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


def told(found: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    return [(one["kind"], one["actor"], one["cluster"]) for one in found]


ALL = [
    ("login_refused", "admin", None),
    ("revoke", "olga", "default"),
    ("refused", "vic", None),
    ("refused", "vic", None),
    ("token_created", "admin", None),
]


def test_it_tells_all_that_was_done_and_refused_the_newest_first(client: httpx.Client) -> None:
    found = entries(client)

    assert told(found) == ALL
    assert [one["status"] for one in found] == ["failed", "expired", "failed", "failed", "done"]
    assert found[1]["reason"] == "=1+1"
    assert all(one["origin"].startswith("127.0.0.1") for one in found)


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        ({"kind": "revoke,token_created"}, ["revoke", "token_created"]),
        ({"actor": "vic"}, ["refused", "refused"]),
        ({"actor": "v"}, []),
        ({"cluster": "default"}, ["revoke"]),
        ({"cluster": "prod"}, []),
        ({"from": "-1h"}, [kind for kind, _, _ in ALL]),
        ({"until": "-1h"}, []),
    ],
)
def test_it_is_asked_by_kind_person_cluster_and_time(
    client: httpx.Client, asked: dict[str, str], kinds: list[str]
) -> None:
    assert [one["kind"] for one in entries(client, **asked)] == kinds


@pytest.mark.parametrize(
    ("asked", "status", "word"),
    [
        ({"kind": "result"}, 400, "kind"),
        ({"cluster": "none"}, 404, "none"),
        ({"from": "yesterdayish"}, 400, "from"),
        ({"after": "x"}, 400, "after"),
        ({"person": "vic"}, 400, "person"),
    ],
)
def test_what_it_does_not_know_is_refused_by_name(
    client: httpx.Client, asked: dict[str, str], status: int, word: str
) -> None:
    answer = client.get("/api/v1/audit", params=asked, auth=ADMIN)

    assert (answer.status_code, word in answer.json()["detail"]) == (status, True)


def test_pages_follow_each_other_without_a_hole(client: httpx.Client) -> None:
    found: list[dict[str, Any]] = []
    place: dict[str, str] = {}
    while True:
        page = client.get("/api/v1/audit", params={"limit": 2, **place}, auth=ADMIN).json()
        found += page["entries"]
        if page["next"] is None:
            break
        place = {"after": page["next"]}

    assert told(found) == ALL


def test_it_comes_as_a_file_that_no_spreadsheet_runs(client: httpx.Client) -> None:
    lines = client.get("/api/v1/audit/export", auth=ADMIN)
    table = client.get("/api/v1/audit/export", params={"format": "csv", "limit": 2}, auth=ADMIN)

    assert told([msgspec.json.decode(line) for line in lines.text.splitlines()]) == ALL
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["kind"] for row in rows] == ["login_refused", "revoke"]
    assert rows[1]["reason"] == "'=1+1"
    assert table.headers["content-disposition"] == 'attachment; filename="audit.csv"'


@pytest.mark.parametrize("path", ["/api/v1/audit", "/api/v1/audit/export"])
@pytest.mark.parametrize("auth", [OLGA, VIC])
def test_an_admin_of_every_cluster_alone_sees_it(client: httpx.Client, path: str, auth: tuple[str, str]) -> None:
    answer = client.get(path, auth=auth)

    assert (answer.status_code, "audit.read" in answer.text) == (403, True)
