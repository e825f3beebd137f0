"""A trusted proxy says with each request who it is; nobody else can."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from tests.api import written
from tests.web import scene
from tests.web.test_login import Query, query, serving

from flower_api.access.seal import Seal
from flower_api.reads import Pool
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

__all__ = ["query"]

BY_PROXY: dict[str, Any] = {
    "basic_auth": (),
    "trusted_proxies": ("127.0.0.1",),
    "proxy_user_header": "X-Forwarded-User",
    "proxy_email_header": "X-Forwarded-Email",
    "proxy_groups_header": "X-Forwarded-Groups",
    "role": ("admin=root", "operator=*@example.com", "viewer=group:staff"),
}
ROOT = {"X-Forwarded-User": "root"}
EVE = {"X-Forwarded-User": "eve", "X-Forwarded-Email": "eve@example.com"}


@pytest.fixture(autouse=True)
def cluster(store: StoreSettings) -> None:
    written.into(store, "default", [])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (ROOT, 200),
        (EVE, 200),
        ({"X-Forwarded-User": "eve", "X-Forwarded-Groups": "guests, staff"}, 200),
        ({"X-Forwarded-User": "eve", "X-Forwarded-Groups": "guests"}, 403),
        ({"X-Forwarded-User": "eve"}, 403),
        ({"X-Forwarded-User": "rooty"}, 403),
        ({"X-Forwarded-User": ""}, 401),
        ({"X-Forwarded-User": "x" * 201}, 401),
        ({"X-Forwarded-Email": "eve@example.com"}, 401),
        ({}, 401),
    ],
)
def test_whom_the_proxy_names_has_the_roles_of_name_address_and_groups(
    store: StoreSettings, headers: dict[str, str], status: int
) -> None:
    with serving(store, **BY_PROXY) as client:
        api = client.get("/api/v1/clusters", headers={**headers, "Accept": "*/*"})
        page = client.get("/c/default/", headers=headers)

    assert (api.status_code, page.status_code) == (status, status)


@pytest.mark.parametrize("proxies", [("192.0.2.1",), ("unix",), ("::1",)])
def test_the_header_of_anybody_else_opens_nothing(store: StoreSettings, proxies: tuple[str, ...]) -> None:
    with serving(store, **BY_PROXY | {"trusted_proxies": proxies}) as client:
        answers = [client.get(path, headers=ROOT) for path in ("/api/v1/clusters", "/c/default/", "/metrics")]

    assert [one.status_code for one in answers] == [401, 401, 401]


def test_the_client_that_a_proxy_names_is_not_itself_a_proxy(store: StoreSettings) -> None:
    """By X-Forwarded-For the client has the proxy's address; its connection has another."""
    with serving(store, **BY_PROXY | {"trusted_proxies": ("192.0.2.1",), "xheaders": True}) as client:
        answer = client.get("/api/v1/clusters", headers={**ROOT, "X-Forwarded-For": "192.0.2.1"})

    assert answer.status_code == 401


def test_two_names_are_nobody_s(store: StoreSettings) -> None:
    """A client's own header that the proxy let through beside its own."""
    with serving(store, **BY_PROXY) as client:
        twice = [("X-Forwarded-User", "root"), ("X-Forwarded-User", "eve")]
        answer = client.get("/api/v1/clusters", headers=twice)

    assert answer.status_code == 401


def test_there_is_no_page_to_log_in_and_no_question_for_a_password(store: StoreSettings) -> None:
    with serving(store, **BY_PROXY) as client:
        page = client.get("/c/default/")
        plain = client.get("/c/default/", headers={"Accept": "*/*"})

    assert (page.status_code, plain.status_code) == (401, 401)
    assert "location" not in page.headers
    assert "www-authenticate" not in plain.headers
    assert "Log out" not in page.text


def test_a_write_needs_the_token_of_the_page_on_every_replica(store: StoreSettings, writer: Writer) -> None:
    view = {"name": "mine", "query": "q=is%3Alate"}
    fields = {"exception": "Declined('x')", "traceback": scene.TRACEBACK}
    writer.write(scene.a_life("t", scene.now() - timedelta(minutes=5), end="failed", fields=fields))
    with serving(store, **BY_PROXY) as one, serving(store, **BY_PROXY) as other:

        def saved(token: str, headers: dict[str, str]) -> int:
            return other.put("/api/v1/views", json=view, headers={**headers, "X-CSRF-Token": token}).status_code

        found = re.search(r'name="csrf" value="([^"]+)"', one.get("/c/prod/errors", headers=ROOT).text)
        assert found
        answers = [saved(found[1], ROOT), saved("", ROOT), saved("x" * 64, ROOT), saved(found[1], EVE)]

    assert answers == [200, 403, 403, 403]


def test_their_refusals_are_in_the_log_by_their_name(store: StoreSettings, query: Query) -> None:
    with serving(store, **BY_PROXY) as client:
        token = asyncio.run(_form_token(store, "proxy:eve"))
        headers = {"X-Forwarded-User": "eve", "X-Forwarded-Groups": "staff", "X-CSRF-Token": token}
        refused = client.post("/api/worker/shutdown/w@h", headers=headers)

    assert refused.status_code == 403
    assert query("SELECT kind, actor, split_part(origin, ', request', 1) FROM command") == [
        ("refused", "eve", "127.0.0.1 through 127.0.0.1, proxy")
    ]


def test_their_api_tokens_live_as_long_as_the_header_is_configured(store: StoreSettings) -> None:
    token = asyncio.run(_form_token(store, "proxy:eve"))
    with serving(store, **BY_PROXY) as client:
        headers = {**EVE, "X-CSRF-Token": token}
        made = client.post("/api/v1/tokens", json={"name": "t", "role": "operator"}, headers=headers).json()
        bearer = {"Authorization": f"Bearer {made['token']}"}
        used = client.get("/api/v1/clusters", headers=bearer).status_code
    with serving(store, **BY_PROXY | {"proxy_user_header": "Remote-User"}) as client:
        later = client.get("/api/v1/clusters", headers=bearer).status_code

    assert (used, later) == (200, 401)


async def _form_token(store: StoreSettings, subject: str) -> str:
    pool = Pool(store)
    try:
        return await Seal(ApiSettings(), pool).token("proxy form", subject)
    finally:
        await pool.close()
