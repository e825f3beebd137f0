"""The way in by a page, sessions on every replica, the way out; and what must not get in."""

import re
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from tests.api import written
from tests.api.test_gate import STRANGERS

from flower_api.access import destination
from flower_api.server import Server
from flower_api.settings import ApiSettings
from flower_store.settings import SettingError, StoreSettings
from flower_web.app import create_app

ALICE = {"username": "alice", "password": "wonder"}
USERS = ("alice:wonder", "bob:builder")
ROLES = ("operator=alice", "viewer=bob")
HTML = {"Accept": "text/html"}
COOKIE = "flower_session"
Query = Callable[..., list[tuple[Any, ...]]]


@contextmanager
def serving(store: StoreSettings, **settings: Any) -> Generator[httpx.Client]:
    """A browser without a session before a replica."""
    given: dict[str, Any] = {"basic_auth": USERS, "role": ROLES, **settings}
    chosen = ApiSettings(port=0, **given)
    server, ready = Server(create_app(chosen, store), chosen), threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,), name="door")
    thread.start()
    try:
        assert ready.wait(20)
        with httpx.Client(base_url=server.address, headers=HTML, timeout=30) as client:
            yield client
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def door(store: StoreSettings) -> Iterator[httpx.Client]:
    written.into(store, "default", [])
    with serving(store) as client:
        yield client


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    with psycopg.connect(database_url, autocommit=True) as connection:

        def run(statement: str, *given: object) -> list[tuple[Any, ...]]:
            return connection.execute(statement.encode(), given or None).fetchall()

        yield run


def enter(client: httpx.Client, **more: str) -> httpx.Response:
    return client.post("/login", data=ALICE | more)


def token(client: httpx.Client) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/logout").text)
    assert found
    return found[1]


def works(client: httpx.Client) -> bool:
    return client.get("/api/v1/clusters").status_code == 200


def test_a_reader_is_led_to_the_login_and_back(door: httpx.Client) -> None:
    sent = door.get("/c/default/tasks?state=FAILURE")
    address = urlsplit(sent.headers["location"])
    form = door.get(sent.headers["location"]).text
    entered = enter(door, next=parse_qs(address.query)["next"][0])

    assert (sent.status_code, address.path) == (302, "/login")
    assert 'value="/c/default/tasks?state=FAILURE"' in form
    assert 'autocomplete="current-password"' in form
    assert (entered.status_code, entered.headers["location"]) == (303, "/c/default/tasks?state=FAILURE")
    assert door.get(entered.headers["location"]).status_code == 200
    assert door.get("/login").status_code == 303


def test_before_the_login_nothing_is_told(door: httpx.Client) -> None:
    text = door.get("/login").text + door.get("/c/default/tasks").text

    assert "default" not in text.replace("%2Fdefault", "")


def test_a_script_is_not_led_to_the_login(door: httpx.Client) -> None:
    answer = door.get("/c/default/tasks", headers={"Sec-Fetch-Mode": "cors"})

    assert (answer.status_code, "www-authenticate" in answer.headers) == (401, False)


def test_the_cookie_is_kept_from_scripts_and_other_sites(door: httpx.Client) -> None:
    here = enter(door).headers["set-cookie"]
    named = {"Host": "flower.example.org", "Origin": "https://flower.example.org"}
    there = door.post("/login", data=ALICE, headers=named).headers["set-cookie"]

    for cookie in (here, there):
        assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert here.startswith(f"{COOKIE}=")
    assert "Secure" not in here
    assert there.startswith(f"__Host-{COOKIE}=")
    assert "Secure" in there


def test_where_the_browser_would_not_keep_the_cookie_it_is_said(store: StoreSettings, door: httpx.Client) -> None:
    named = {"Host": "flower.example.org", "Origin": "http://flower.example.org"}
    answer = door.post("/login", data=ALICE, headers=named)
    with serving(store, insecure_cookies=True) as open_door:
        insecure = open_door.post("/login", data=ALICE, headers=named)

    assert (answer.status_code, "--insecure-cookies" in answer.text, "set-cookie" in answer.headers) == (
        400,
        True,
        False,
    )
    assert "Secure" not in insecure.headers["set-cookie"]


def test_wrong_words_open_nothing_and_are_limited(door: httpx.Client, query: Query) -> None:
    answers = [door.post("/login", data=ALICE | {"password": f"guess{number}"}) for number in range(11)]
    right = enter(door)

    assert [one.status_code for one in answers] == [401] * 10 + [429]
    assert "wrong" in answers[0].text
    assert "guess0" not in answers[0].text
    assert (right.status_code, "Too many attempts" in right.text) == (429, True)
    assert int(right.headers["retry-after"]) > 0
    assert query("SELECT count(*) FROM command WHERE kind = 'login_refused' AND actor = 'alice'") == [(10,)]


def test_every_replica_knows_the_session_and_a_restart_does_not_end_it(
    store: StoreSettings, door: httpx.Client
) -> None:
    with serving(store) as second:
        enter(door)
        second.cookies = door.cookies
        on_second = works(second)
    with serving(store) as restarted:
        restarted.cookies = door.cookies
        after_restart = works(restarted)

    assert (on_second, after_restart) == (True, True)


def test_the_secret_is_made_once_by_replicas_that_begin_together(store: StoreSettings, query: Query) -> None:
    with serving(store) as one, serving(store) as other:
        threads = [threading.Thread(target=enter, args=(client,)) for client in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        first = dict(one.cookies)
        one.cookies = other.cookies
        other.cookies = httpx.Cookies(first)

        assert (works(one), works(other)) == (True, True)
    assert query("SELECT count(*) FROM setting") == [(1,)]


def test_a_secret_is_changed_without_logging_anybody_out(store: StoreSettings) -> None:
    old, new = "o" * 32, "n" * 32
    with serving(store, cookie_secret=(old,)) as client:
        enter(client)
        cookies = client.cookies
    for secrets, known in (((new, old), True), ((new,), False)):
        with serving(store, cookie_secret=secrets) as client:
            client.cookies = cookies
            assert works(client) == known


def test_a_forged_or_cut_cookie_is_none(door: httpx.Client) -> None:
    enter(door)
    good = door.cookies[COOKIE]
    for bad in ("", "x", good[:-2], good[:40] + ("A" if good[40] != "A" else "B") + good[41:]):
        assert door.get("/api/tasks", headers={"Cookie": f"{COOKIE}={bad}"}).status_code == 401 or bad == good
        door.cookies.clear()


def test_a_logout_ends_a_stolen_cookie_on_every_replica(store: StoreSettings, door: httpx.Client) -> None:
    enter(door)
    stolen = door.cookies[COOKIE]
    with serving(store) as second:
        second.cookies.set(COOKIE, stolen)
        before = works(second)
        left = door.post("/logout", data={"csrf": token(door)})
        after = second.get("/api/v1/clusters", headers={"Cookie": f"{COOKIE}={stolen}"}).status_code

    assert (before, left.status_code, after) == (True, 303, 401)
    assert "You have been logged out" in door.get("/logout").text
    assert COOKIE not in door.cookies


def test_logout_everywhere_ends_all_sessions_of_this_user_alone(store: StoreSettings, door: httpx.Client) -> None:
    with serving(store) as second, serving(store) as bobs:
        enter(door)
        enter(second)
        bobs.post("/login", data={"username": "bob", "password": "builder"})
        door.post("/logout", data={"csrf": token(door), "everywhere": "1"})

        assert (works(door), works(second), works(bobs)) == (False, False, True)


def test_a_session_ends_when_it_is_unused_or_old(store: StoreSettings) -> None:
    for settings in ({"session_idle": timedelta(seconds=1)}, {"session_lifetime": timedelta(seconds=1)}):
        with serving(store, **settings) as client:
            enter(client)
            cookie = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
            client.cookies.clear()
            ended = threading.Event()
            for _ in range(200):
                if client.get("/api/v1/clusters", headers=cookie | {"Sec-Fetch-Mode": "cors"}).status_code == 401:
                    ended.set()
                    break
                ended.wait(0.02)
            assert ended.is_set(), settings


def test_use_by_hand_keeps_a_session_and_a_page_that_refreshes_itself_does_not(store: StoreSettings) -> None:
    with serving(store, session_idle=timedelta(seconds=5)) as client:
        enter(client)
        first = client.cookies[COOKIE]
        pause = threading.Event()
        for _ in range(100):
            by_script = client.get("/api/v1/clusters", headers={"Sec-Fetch-Mode": "cors"})
            assert "set-cookie" not in by_script.headers
            by_hand = client.get("/api/v1/clusters")
            if "set-cookie" in by_hand.headers:
                break
            pause.wait(0.05)

        assert client.cookies[COOKIE] != first
        assert works(client)


def test_who_is_no_user_any_more_or_has_another_password_is_out(store: StoreSettings) -> None:
    with serving(store) as client:
        enter(client)
        cookies = client.cookies
    for users, in_ in ((USERS, True), (("alice:changed", "bob:builder"), False), (("bob:builder",), False)):
        with serving(store, basic_auth=users) as client:
            client.cookies = cookies
            assert works(client) == in_


def test_a_role_that_is_taken_away_is_gone_at_once(store: StoreSettings) -> None:
    with serving(store, role=("admin=alice",)) as client:
        enter(client)
        cookies, csrf = client.cookies, token(client)
        allowed = client.post("/api/task/revoke/t", headers={"X-CSRF-Token": csrf}).status_code
    with serving(store, role=("viewer=alice",)) as client:
        client.cookies = cookies
        refused = client.post("/api/task/revoke/t", headers={"X-CSRF-Token": csrf})

    assert allowed == 503  # no collector
    assert (refused.status_code, "task.revoke" in refused.text) == (403, True)


def test_a_cookie_that_somebody_slipped_in_is_not_the_session_after_the_login(
    store: StoreSettings, door: httpx.Client
) -> None:
    with serving(store) as attacker:
        attacker.post("/login", data={"username": "bob", "password": "builder"})
        planted = attacker.cookies[COOKIE]
    door.cookies.set(COOKIE, planted)
    entered = enter(door)

    assert planted not in entered.headers["set-cookie"]
    assert tuple(re.findall(r"logged in as <strong>(\w+)", door.get("/logout").text)) == ("alice",)


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_another_site_logs_nobody_in_or_out_and_changes_nothing(
    door: httpx.Client, query: Query, headers: dict[str, str]
) -> None:
    assert door.post("/login", data=ALICE, headers=headers).status_code == 403
    enter(door)
    csrf = token(door)

    assert door.post("/logout", data={"csrf": csrf}, headers=headers).status_code == 403
    assert door.post("/c/default/errors/1", data={"csrf": csrf, "status": "open"}, headers=headers).status_code == 403
    assert door.post("/api/task/revoke/t", headers={"X-CSRF-Token": csrf} | headers).status_code == 403
    assert works(door)
    assert query("SELECT count(*) FROM command WHERE kind NOT IN ('login')") == [(0,)]


@pytest.mark.parametrize("given", [{}, {"csrf": ""}, {"csrf": "wrong"}])
def test_a_write_with_the_cookie_needs_the_token_of_the_form(
    door: httpx.Client, query: Query, given: dict[str, str]
) -> None:
    enter(door)

    answers = [
        door.post("/api/task/revoke/t", data=given),
        door.post("/api/task/revoke/t", headers={"X-CSRF-Token": given.get("csrf", "")}),
        door.post("/api/v1/clusters/default/commands", json={"kind": "revoke", "tasks": ["t"]}),
        door.post("/api/v1/tokens", json={"name": "n", "role": "viewer"}),
        door.post("/c/default/errors/1", data={"status": "resolved", **given}),
        door.post("/logout", data=given),
    ]

    assert [one.status_code for one in answers] == [403] * 6
    assert works(door)
    assert query("SELECT count(*) FROM command WHERE kind <> 'login'") == [(0,)]


def test_the_token_of_another_session_is_none(store: StoreSettings, door: httpx.Client) -> None:
    with serving(store) as other:
        enter(other)
        foreign = token(other)
    enter(door)

    assert door.post("/api/task/revoke/t", headers={"X-CSRF-Token": foreign}).status_code == 403


def test_a_page_says_who_is_logged_in(door: httpx.Client) -> None:
    enter(door)
    page = door.get("/c/default/errors").text
    door.cookies.clear()
    door.post("/login", data={"username": "bob", "password": "builder"})

    assert "Log out alice" in page
    assert "Log out bob" in door.get("/c/default/errors").text


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "/%5cevil.example/..",
        "javascript:alert(1)", "/ /evil.example", "/\t/evil.example", "/\n/evil.example", "evil.example",
        "/../evil", "/c/%2e%2e/x", "http:evil.example", "/login", "/logout", "", "/\x00", "//[", "/c/\x7f",
    ],
)  # fmt: skip
def test_the_login_leads_to_no_other_place(door: httpx.Client, wanted: str) -> None:
    assert destination.confined(wanted, root="") == "/"
    assert destination.confined(wanted, root="/flower") == "/flower/"
    assert enter(door, next=wanted).headers["location"] == "/"


@pytest.mark.parametrize("wanted", ["/flowers/x", "/flowerevil.example", "/", "/other/flower/"])
def test_it_leads_to_nothing_beside_the_prefix(wanted: str) -> None:
    assert destination.confined(wanted, root="/flower") == "/flower/"


@pytest.mark.parametrize("wanted", ["/flower/", "/flower/c/x/tasks?q=a%3Ab&from=-1h", "/flower/c/x/tasks/a..b"])
def test_it_leads_to_our_own(wanted: str) -> None:
    assert destination.confined(wanted, root="/flower") == wanted


@pytest.mark.parametrize("host", STRANGERS[:3])
def test_a_header_that_names_another_host_leads_nowhere_else(door: httpx.Client, host: str) -> None:
    answer = door.get("/c/default/tasks", headers={"Host": host, "X-Forwarded-Host": "evil.example"})

    assert answer.headers["location"].startswith("/login?")


def test_logins_and_logouts_are_in_the_log_with_the_session(door: httpx.Client, query: Query) -> None:
    enter(door)
    csrf = token(door)
    door.post("/api/task/revoke/t", headers={"X-CSRF-Token": csrf})
    door.post("/logout", data={"csrf": csrf})

    rows = query("SELECT kind, actor, origin, outcome, target FROM command ORDER BY id")

    assert [row[:2] for row in rows] == [("login", "alice"), ("revoke", "alice"), ("logout", "alice")]
    sessions = {found[0] for row in rows if (found := re.search(r", session (\S{8}), request ", row[2]))}
    assert len(sessions) == 1
    assert "wonder" not in str(rows)


def test_without_access_there_is_no_login(store: StoreSettings) -> None:
    with serving(store, basic_auth=(), role=()) as client:
        assert client.get("/login").status_code == 404
        assert client.post("/login", data=ALICE).status_code == 404


def test_an_open_door_is_told_on_the_page(store: StoreSettings) -> None:
    written.into(store, "default", [])
    with serving(store, basic_auth=(), role=(), unauthenticated_api=True) as client:
        assert "No login is configured" in client.get("/c/default/tasks").text


@pytest.mark.parametrize("secret", ["", "short", "x" * 15])
def test_a_secret_that_can_be_guessed_is_refused(secret: str) -> None:
    with pytest.raises(SettingError, match="at least 16 characters"):
        ApiSettings(cookie_secret=(secret,))
