"""The way in by a real provider of OpenID Connect; sessions and tokens of those who came by it; what must stay out."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.services import oidc_provider
from tests.services.oidc_provider import OidcProvider
from tests.web import by_provider

from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings

ACCOUNTS: dict[str, dict[str, object]] = {
    "olga": {"email": "olga@example.com", "email_verified": True, "groups": ["backend", "on-call"]},
    "vic": {"email": "vic@example.com", "email_verified": True, "groups": ["support"]},
    "stranger": {"email": "stranger@example.com.evil.example", "email_verified": True, "groups": ["Backend"]},
    "unproven": {"email": "olga@example.com", "email_verified": False, "groups": ["support"]},
    "group:backend": {"groups": ["guests"]},
}
ROLES = ("operator=group:backend", "viewer=group:support", "viewer=group:guests-*")
Log = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider.running(ACCOUNTS, [by_provider.REDIRECT]) as running:
        yield running


@pytest.fixture(scope="module")
def store(postgres_url: str, migrated_template: str) -> Iterator[StoreSettings]:
    with by_provider.database(postgres_url, migrated_template, "by_provider") as made:
        yield made


@pytest.fixture(scope="module")
def replica(store: StoreSettings, provider: OidcProvider) -> Iterator[httpx.Client]:
    with by_provider.serving(store, by_provider.settings(provider.issuer, role=ROLES)) as client:
        yield client


@pytest.fixture
def door(replica: httpx.Client) -> httpx.Client:
    """A browser without a session."""
    replica.cookies = httpx.Cookies()
    return replica


@pytest.fixture
def log(store: StoreSettings) -> Iterator[Log]:
    with by_provider.log(store) as read:
        yield read


def works(client: httpx.Client) -> bool:
    return client.get("/api/v1/clusters").status_code == 200


def form_token(client: httpx.Client) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/logout").text)
    assert found
    return found[1]


def may_revoke(client: httpx.Client) -> bool:
    answer = client.post("/api/task/revoke/t", headers={"X-CSRF-Token": form_token(client)})
    assert answer.status_code in {403, 503}, answer.text  # 503: there is no collector
    return answer.status_code == 503


def test_a_reader_comes_in_by_the_provider_and_back_to_the_page(door: httpx.Client) -> None:
    sent = door.get("/c/default/tasks?state=FAILURE")
    page = door.get(sent.headers["location"]).text
    link = re.search(r'href="(/login/provider\?[^"]+)"', page)
    assert link
    there = door.get(link[1].replace("&amp;", "&")).headers["location"]
    entered = by_provider.come_back(door, by_provider.allowed(there, "olga"))

    assert "Log in with OpenID Connect" in page
    assert 'name="password"' not in page
    assert (entered.status_code, entered.headers["location"]) == (303, "/c/default/tasks?state=FAILURE")
    assert "Log out olga@example.com" in door.get("/c/default/errors").text


def test_a_group_gives_its_role_and_no_more(door: httpx.Client) -> None:
    by_provider.log_in(door, "olga")
    operator = may_revoke(door)
    door.cookies.clear()
    by_provider.log_in(door, "vic")

    assert (operator, may_revoke(door), works(door)) == (True, False, True)


def test_a_group_counts_in_its_own_letters_and_no_name_is_taken_for_one(door: httpx.Client, log: Log) -> None:
    for name in ("stranger", "group:backend"):
        answer = by_provider.log_in(door, name)

        assert (answer.status_code, "Access denied" in answer.text) == (403, True)
        assert not works(door)
    assert log("actor, target->>'why'") == [
        ("stranger@example.com.evil.example", "no role"),
        ("subject group:backend", "no role"),
    ]


def test_claims_may_stand_in_userinfo_alone(store: StoreSettings) -> None:
    with (
        oidc_provider.running(ACCOUNTS, [by_provider.REDIRECT], in_token=False) as other,
        by_provider.serving(store, by_provider.settings(other.issuer, role=ROLES)) as client,
    ):
        entered = by_provider.log_in(client, "olga")

        assert (entered.status_code, may_revoke(client)) == (303, True)


def test_an_address_that_the_provider_has_not_proved_is_nobody_s(store: StoreSettings, provider: OidcProvider) -> None:
    changed = by_provider.settings(provider.issuer, auth="olga@example.com")
    trusting = by_provider.settings(provider.issuer, auth="olga@example.com", oidc_trust_email=True)
    entered = []
    for settings in (changed, trusting):
        with by_provider.serving(store, settings) as client:
            entered.append((by_provider.log_in(client, "unproven").status_code, works(client)))
            assert by_provider.log_in(client, "olga").status_code == 303

    assert entered == [(403, False), (303, True)]


def test_without_roles_whom_auth_names_is_an_admin_and_nobody_else_comes_in(
    store: StoreSettings, provider: OidcProvider
) -> None:
    settings = by_provider.settings(provider.issuer, auth=".*@example.com")
    with by_provider.serving(store, settings) as client:
        refused = by_provider.log_in(client, "stranger")
        client.cookies.clear()
        by_provider.log_in(client, "olga")

        assert (refused.status_code, client.get("/metrics").status_code) == (403, 200)
    with by_provider.serving(store, by_provider.settings(provider.issuer, auth="vic@example.com")) as narrow:
        narrow.cookies = client.cookies
        assert not works(narrow)


def test_the_request_carries_state_nonce_and_pkce_and_the_configured_address(door: httpx.Client) -> None:
    first, second = (parse_qs(urlsplit(by_provider.begun(door)).query) for _ in range(2))

    assert first["redirect_uri"] == [by_provider.REDIRECT]
    assert (first["response_type"], first["code_challenge_method"]) == (["code"], ["S256"])
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) == 43
        assert first[name] != second[name]


def test_the_login_is_finished_by_another_replica(
    store: StoreSettings, door: httpx.Client, provider: OidcProvider
) -> None:
    back = by_provider.allowed(by_provider.begun(door), "olga")
    settings = by_provider.settings(provider.issuer, role=ROLES)
    with by_provider.serving(store, settings) as other:
        other.cookies = door.cookies
        entered = by_provider.come_back(other, back)

        assert (entered.status_code, works(other)) == (303, True)


def test_an_answer_that_this_browser_did_not_ask_for_opens_nothing(door: httpx.Client, log: Log) -> None:
    """CSRF of the login: else a stranger's answer would make a reader work under the stranger's name."""
    with httpx.Client(base_url=door.base_url) as stranger:
        foreign = parse_qs(urlsplit(by_provider.begun(stranger)).query)["state"][0]
    back = {
        name: value[0]
        for name, value in parse_qs(urlsplit(by_provider.allowed(by_provider.begun(door), "olga")).query).items()
    }
    for state in ({}, {"state": ""}, {"state": "x" * 43}, {"state": foreign}):
        params = {"code": back["code"], "iss": back["iss"]} | state
        answer = door.get("/login", params=params)

        assert (answer.status_code, "Begin it anew" in answer.text) == (400, True), state
        assert not works(door)
    kept = httpx.Cookies(door.cookies)
    door.cookies.clear()

    assert door.get("/login", params=back).status_code == 400
    assert not works(door)
    assert set(log("kind, actor")) == {("login_refused", "unknown")}
    door.cookies = kept
    assert door.get("/login", params=back).status_code == 303


def test_an_answer_is_taken_once_on_all_replicas(
    store: StoreSettings, door: httpx.Client, provider: OidcProvider
) -> None:
    back = by_provider.allowed(by_provider.begun(door), "olga")
    kept = httpx.Cookies(door.cookies)
    first = by_provider.come_back(door, back)
    settings = by_provider.settings(provider.issuer, role=ROLES)
    with by_provider.serving(store, settings) as other:
        other.cookies = kept
        again = by_provider.come_back(other, back)

        assert (first.status_code, again.status_code, works(other)) == (303, 400, False)


def test_a_code_of_another_login_is_refused(door: httpx.Client) -> None:
    """PKCE: a code that was stolen on its way is of no use in another browser's login (RFC 9700 §2.1.1)."""
    stolen = parse_qs(urlsplit(by_provider.allowed(by_provider.begun(door), "olga")).query)["code"][0]
    own = parse_qs(urlsplit(by_provider.allowed(by_provider.begun(door), "vic")).query)
    answer = door.get("/login", params={"code": stolen, "state": own["state"][0], "iss": own["iss"][0]})

    assert (answer.status_code, "did not let you in" in answer.text) == (403, True)
    assert not works(door)


def test_the_session_is_a_new_one_whatever_the_browser_came_with(door: httpx.Client) -> None:
    by_provider.log_in(door, "vic")
    planted = door.cookies["flower_session"]
    entered = by_provider.log_in(door, "olga")

    cookies = [one for one in entered.headers.get_list("set-cookie") if one.startswith("flower_session=")]
    assert len(cookies) == 1
    assert planted not in cookies[0]
    assert "logged in as <strong>olga@example.com" in door.get("/logout").text


def test_the_login_leads_to_no_other_place(door: httpx.Client) -> None:
    for to in ("https://evil.example/", "//evil.example", "/\\evil.example", "/login/provider"):
        assert by_provider.log_in(door, "olga", to).headers["location"] == "/", to


def test_the_cookies_are_kept_from_scripts_and_the_login_s_is_taken_away(door: httpx.Client) -> None:
    back = by_provider.allowed(by_provider.begun(door), "olga")
    begun = door.cookies["flower_login"]
    entered = by_provider.come_back(door, back)

    cookies = entered.headers.get_list("set-cookie")
    assert sorted(one.partition("=")[0] for one in cookies) == ["flower_login", "flower_session"]
    for cookie in cookies:
        assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert begun
    assert "flower_login" not in door.cookies


def test_the_login_s_cookie_is_no_session(door: httpx.Client) -> None:
    by_provider.begun(door)
    door.cookies.set("flower_session", door.cookies["flower_login"])

    assert not works(door)


def test_the_user_s_no_is_told_and_in_the_log(door: httpx.Client, log: Log) -> None:
    state = parse_qs(urlsplit(by_provider.begun(door, "/c/default/tasks")).query)["state"][0]
    words = "<script>alert(1)</script>"
    answer = door.get("/login", params={"error": "access_denied", "error_description": words, "state": state})

    assert (answer.status_code, "did not let you in" in answer.text, words in answer.text) == (403, True, False)
    assert "/login/provider?next=%2Fc%2Fdefault%2Ftasks" in answer.text
    assert log("kind, target->>'why'") == [("login_refused", "access_denied")]


def test_logins_that_fail_again_and_again_are_looked_at_no_more(door: httpx.Client, log: Log) -> None:
    def declined() -> httpx.Response:
        state = parse_qs(urlsplit(by_provider.begun(door)).query)["state"][0]
        return door.get("/login", params={"error": "access_denied", "state": state})

    codes = [declined().status_code for _ in range(101)]
    late = by_provider.log_in(door, "olga")

    assert codes == [403] * 100 + [429]
    assert (late.status_code, "Too many attempts" in late.text, works(door)) == (429, True, False)
    assert len(log("kind")) == 20


def test_logins_and_logouts_are_in_the_log_without_what_was_secret(door: httpx.Client, log: Log) -> None:
    back = by_provider.allowed(by_provider.begun(door), "olga")
    by_provider.come_back(door, back)
    door.post("/logout", data={"csrf": form_token(door)})

    rows = log("kind, actor, origin, target")
    assert [row[:2] for row in rows] == [("login", "olga@example.com"), ("logout", "olga@example.com")]
    assert rows[0][3] == {"way": "oidc"}
    assert not works(door)
    assert parse_qs(urlsplit(back).query)["code"][0] not in str(rows)
    assert oidc_provider.SECRET not in str(rows)


def test_a_provider_s_session_is_over_where_another_provider_is_configured(
    store: StoreSettings, door: httpx.Client, provider: OidcProvider
) -> None:
    by_provider.log_in(door, "olga")
    changes: list[tuple[dict[str, Any], bool]] = [
        ({"oauth2_key": oidc_provider.CLIENT}, True),
        ({"oidc_issuer": "https://other.example"}, False),
        ({"auth_provider": "google"}, False),
        ({"role": ("viewer=*",)}, True),
    ]
    for changed, stands in changes:
        usual: dict[str, Any] = {"role": ROLES}
        settings = by_provider.settings(provider.issuer, **(usual | changed))
        with by_provider.serving(store, settings) as other:
            other.cookies = door.cookies
            assert works(other) == stands, changed


def test_api_tokens_are_made_and_used_by_those_who_came_by_the_provider(
    store: StoreSettings, door: httpx.Client, provider: OidcProvider
) -> None:
    by_provider.log_in(door, "olga")
    wanted = {"name": "ci", "role": "operator"}
    made = door.post("/api/v1/tokens", json=wanted, headers={"X-CSRF-Token": form_token(door)})
    bearer = {"Authorization": f"Bearer {made.json()['token']}"}

    assert made.status_code == 201, made.text
    door.cookies.clear()
    assert door.get("/api/v1/clusters").status_code == door.get("/api/tasks").status_code == 401
    assert door.post("/api/task/revoke/t", headers=bearer).status_code == 503
    settings = by_provider.settings(provider.issuer, role=("viewer=group:backend",))
    with by_provider.serving(store, settings) as lesser:
        assert lesser.get("/api/v1/clusters", headers=bearer).status_code == 200
        assert lesser.post("/api/task/revoke/t", headers=bearer).status_code == 403
    members_gone: list[dict[str, Any]] = [{"auth": "vic@example.com"}, {"oidc_issuer": "https://other.example"}]
    for change in members_gone:
        without = by_provider.settings(provider.issuer, role=ROLES, **change)
        with by_provider.serving(store, without) as client:
            assert client.get("/api/v1/clusters", headers=bearer).status_code == 401


def test_passwords_and_the_provider_stand_beside_each_other(store: StoreSettings, provider: OidcProvider) -> None:
    settings = by_provider.settings(provider.issuer, basic_auth=("alice:wonder",), role=("admin=alice",))
    with by_provider.serving(store, settings) as client:
        page = client.get("/login").text
        by_password = client.post("/login", data={"username": "alice", "password": "wonder"})

        assert ("Log in with OpenID Connect" in page, 'name="password"' in page) == (True, True)
        assert (by_password.status_code, works(client)) == (303, True)


def test_a_provider_that_is_away_is_told_on_a_page(store: StoreSettings) -> None:
    settings = by_provider.settings(f"http://localhost:{by_provider.free_port()}", role=ROLES)
    with by_provider.serving(store, settings) as client:
        page = client.get("/login")
        answer = client.get("/login/provider?next=/c/default/tasks")

    assert page.status_code == 200
    assert (answer.status_code, "does not answer" in answer.text) == (502, True)
    assert "/login/provider?next=%2Fc%2Fdefault%2Ftasks" in answer.text


def test_without_a_provider_there_is_no_such_login(store: StoreSettings) -> None:
    with by_provider.serving(store, ApiSettings(port=0, basic_auth=("alice:wonder",))) as client:
        assert client.get("/login/provider").status_code == 404
        assert client.get("/login", params={"code": "c", "state": "s"}).status_code == 200
