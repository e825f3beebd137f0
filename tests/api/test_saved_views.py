"""Views that users save: their own, and what others share."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.api import serving

from flower_api.settings import ApiSettings
from flower_store import saved_views
from flower_store.settings import StoreSettings

ALICE, BOB = ("alice", "a"), ("bob", "b")
VIEW = {"name": "late", "query": "q=is%3Alate&sort=-runtime"}


@pytest.fixture
def guarded(store: StoreSettings) -> Iterator[httpx.Client]:
    settings = ApiSettings(port=0, basic_auth=("alice:a", "bob:b"), role=("viewer=*",))
    with serving.client(store, settings) as client:
        yield client


def saved(client: httpx.Client, auth: tuple[str, str], **more: object) -> dict[str, Any]:
    answer = client.put("/api/v1/views", json=VIEW | more, auth=auth)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(client: httpx.Client, auth: tuple[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/v1/views", auth=auth).json()["views"]
    return found


def test_each_sees_their_own_and_what_is_shared(guarded: httpx.Client) -> None:
    saved(guarded, ALICE)
    saved(guarded, BOB, name="both", shared=True)

    mine = [(one["name"], one["owner"], one["mine"]) for one in listed(guarded, ALICE)]
    others = [(one["name"], one["owner"], one["mine"]) for one in listed(guarded, BOB)]

    assert mine == [("both", "bob", False), ("late", "alice", True)]
    assert others == [("both", "bob", True)]


def test_a_view_is_saved_in_place_of_one_s_own_of_this_name(guarded: httpx.Client) -> None:
    first = saved(guarded, ALICE)
    second = saved(guarded, ALICE, query="q=other")
    of_bob = saved(guarded, BOB, query="q=bobs")

    assert first["id"] == second["id"] != of_bob["id"]
    assert [one["query"] for one in listed(guarded, ALICE)] == ["q=other"]


def test_nobody_deletes_another_s(guarded: httpx.Client) -> None:
    one = saved(guarded, ALICE, shared=True)

    assert guarded.delete(f"/api/v1/views/{one['id']}", auth=BOB).status_code == 404
    assert guarded.delete(f"/api/v1/views/{one['id']}", auth=ALICE).status_code == 204
    assert listed(guarded, BOB) == []


def test_there_is_a_bound(guarded: httpx.Client) -> None:
    for number in range(saved_views.MOST):
        saved(guarded, ALICE, name=f"v{number}")

    refused = guarded.put("/api/v1/views", json=VIEW | {"name": "one more"}, auth=ALICE)

    assert (refused.status_code, "delete one first" in refused.json()["detail"]) == (400, True)
    assert saved(guarded, ALICE, name="v7", query="q=new")["query"] == "q=new"


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"name": "x" * 201}, {"query": "x" * 8001}, {"query": "a\0b"}, {"x": 1}]
)
def test_what_is_no_view_is_refused(guarded: httpx.Client, body: dict[str, object]) -> None:
    assert guarded.put("/api/v1/views", json=VIEW | body, auth=ALICE).status_code == 400
