"""Users with passwords: Flower's form and answers, hashes in place of passwords, roles, and no guessing."""

import asyncio
import hashlib
import logging
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from structlog.testing import capture_logs
from tests.api import serving, written

from flower_api.access import grants, passwords
from flower_api.access.grants import Identity
from flower_api.access.permissions import Role
from flower_api.settings import ApiSettings
from flower_store.settings import SettingError, StoreSettings

HASH = (
    "scrypt:32768:8:1$0mVQ2v8cHq0S5wXA$"
    + hashlib.scrypt(b"s3cret:with:colons", salt=b"0mVQ2v8cHq0S5wXA", n=2**15, r=8, p=1, maxmem=2**27, dklen=64).hex()
)
SETTINGS = ApiSettings(port=0, basic_auth=("alice:wonder", "bob:pass:word", f"carol:{HASH}", "alice:new"))


@pytest.fixture
def guarded(store: StoreSettings) -> Iterator[httpx.Client]:
    written.into(store, "default", [])
    with serving.client(store, SETTINGS) as client:
        yield client


@pytest.mark.parametrize(
    "auth", [("alice", "wonder"), ("alice", "new"), ("bob", "pass:word"), ("carol", "s3cret:with:colons")]
)
def test_who_has_a_password_is_answered(guarded: httpx.Client, auth: tuple[str, str]) -> None:
    assert guarded.get("/api/tasks", auth=auth).status_code == 200
    assert guarded.get("/api/v1/clusters", auth=auth).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Basic",
        "Basic !!!",
        "Basic YWxpY2U=",  # alice
        "Basic YWxpY2U6d29uZGVyIA==",  # alice:wonder and a blank
        "Basic YWxpY2U6",  # alice:
        "Basic Y2Fyb2w6c2NyeXB0OjMyNzY4",  # carol:scrypt:32768
        "Negotiate abc",
    ],
)
def test_everybody_else_is_answered_as_by_flower(guarded: httpx.Client, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    api, page, ours = (
        guarded.get(path, headers=headers) for path in ("/api/tasks", "/tasks/datatable", "/api/v1/tokens")
    )

    assert (api.status_code, api.text, api.headers.get("www-authenticate")) == (401, "", None)
    assert (page.status_code, page.text, page.headers["www-authenticate"]) == (
        401,
        "Access denied",
        'Basic realm="flower"',
    )
    assert (ours.status_code, ours.headers["content-type"]) == (401, "application/problem+json")


def test_the_hash_itself_is_no_password(guarded: httpx.Client) -> None:
    assert guarded.get("/api/tasks", auth=("carol", HASH)).status_code == 401


def test_this_machine_is_a_stranger_too_where_access_is_configured(guarded: httpx.Client) -> None:
    assert guarded.get("/api/tasks").status_code == 401
    assert guarded.get("/healthcheck").status_code == 200


def test_a_script_of_a_page_makes_no_browser_ask_for_a_password(guarded: httpx.Client) -> None:
    answer = guarded.get("/tasks/datatable", headers={"Sec-Fetch-Mode": "cors"})

    assert "www-authenticate" not in answer.headers


def test_a_name_that_a_header_claims_is_nobody(guarded: httpx.Client) -> None:
    claims = {
        "X-Forwarded-User": "alice",
        "X-Auth-Request-Email": "alice",
        "X-Forwarded-For": "127.0.0.1",
        "Remote-User": "alice",
    }

    assert guarded.get("/api/tasks", headers=claims).status_code == 401


def test_the_name_and_the_way_are_in_the_log_and_no_password_is(guarded: httpx.Client, database_url: str) -> None:
    with capture_logs() as logged:
        guarded.post("/api/task/revoke/t", auth=("alice", "wonder"))
        guarded.get("/api/tasks", auth=("alice", "wr0ng-pass"))
        guarded.get("/api/tasks", auth=("typed-as-name", "x"))

    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT kind, actor, origin, target::text, arguments::text FROM command").fetchall()
    assert ("revoke", "alice") in {row[:2] for row in rows}
    assert {row[1] for row in rows if row[0] == "login_refused"} == {"alice", "unknown"}
    told = f"{rows}{logged}"
    assert "wonder" not in told
    assert "wr0ng-pass" not in told
    assert "typed-as-name" not in told


def test_guessing_ends_on_every_replica_together(store: StoreSettings, guarded: httpx.Client) -> None:
    with serving.client(store, SETTINGS) as second:
        assert second.get("/api/tasks", auth=("alice", "wonder")).status_code == 200  # it knows that they are right
        codes = [
            client.get("/api/tasks", auth=("alice", f"guess{number}")).status_code
            for number in range(6)
            for client in (guarded, second)
        ]
        right = [client.get("/api/tasks", auth=("alice", "wonder")) for client in (guarded, second)]
        other = second.get("/api/tasks", auth=("bob", "pass:word"))

    assert codes == [401] * 10 + [429] * 2
    assert [one.status_code for one in right] == [429, 429]
    assert 0 < int(right[0].headers["retry-after"]) <= 301
    assert other.status_code == 200


def test_many_guesses_at_the_same_moment_do_not_slip_through(store: StoreSettings) -> None:
    settings = ApiSettings(port=0, basic_auth=("alice:wonder",))

    async def guess(address: str) -> list[int]:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            asked = (client.get("/api/tasks", auth=("alice", f"g{number}")) for number in range(30))
            return [one.status_code for one in await asyncio.gather(*asked)]

    with serving.running(store, settings) as server:
        codes = asyncio.run(guess(server.address))

    assert codes.count(401) == 10
    assert codes.count(429) == 20


def test_right_ones_are_never_counted(store: StoreSettings) -> None:
    for _ in range(12):  # a new process each time: it remembers none
        with serving.client(store, ApiSettings(port=0, basic_auth=("alice:wonder",))) as client:
            assert client.get("/api/tasks", auth=("alice", "wonder")).status_code == 200


def test_a_user_without_a_role_may_nothing(store: StoreSettings) -> None:
    settings = ApiSettings(port=0, basic_auth=("alice:a", "bob:b"), role=("viewer=alice",))
    with serving.client(store, settings) as client:
        assert client.get("/api/tasks", auth=("alice", "a")).status_code == 200
        assert client.get("/api/tasks", auth=("bob", "b")).status_code == 403


def test_clusters_that_may_not_be_seen_are_not_listed(store: StoreSettings) -> None:
    for cluster in ("default", "staging", "prod"):
        written.into(store, cluster, [])
    settings = ApiSettings(port=0, basic_auth=("al:a",), role=("viewer/prod=al", "admin/staging=al"))
    with serving.client(store, settings) as client:
        listed = client.get("/api/v1/clusters", auth=("al", "a")).json()["clusters"]
        without_a_name = client.get("/api/tasks", auth=("al", "a"))

    assert [one["slug"] for one in listed] == ["prod", "staging"]
    assert without_a_name.status_code == 200


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ("alice", "entry 1 must be user:password"),
        (":x", "entry 1 must be user:password"),
        ("alice:", "entry 1 must be user:password"),
        ("alice:scrypt:zzz", "must be a hash"),
        (f"alice:{HASH[:-90]}", "must be a hash"),
        (f"alice:{HASH.replace('32768', '32767')}", "power of two"),
        (f"alice:{HASH.replace('32768', '4194304')}", "at most 128 MiB"),
    ],
)
def test_an_entry_that_is_none_is_told_without_its_words(entry: str, rule: str) -> None:
    with pytest.raises(SettingError, match=rule) as raised:
        ApiSettings(basic_auth=(entry,))

    assert "alice" not in str(raised.value)


def test_with_users_it_may_listen_for_others() -> None:
    assert ApiSettings(address="0.0.0.0", basic_auth=("a:b",)).access_configured


@pytest.mark.parametrize("rule", ["boss=alice", "admin", "admin=", "admin/=alice", "=alice"])
def test_a_rule_of_roles_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(SettingError, match="must be ROLE=PATTERN"):
        ApiSettings(basic_auth=("a:b",), role=(rule,))


def test_roles_without_users_are_refused() -> None:
    with pytest.raises(SettingError, match="basic_auth"):
        ApiSettings(role=("admin=alice",))


@pytest.mark.parametrize(
    ("pattern", "word", "fits"),
    [
        ("*", "anybody", True),
        ("alice", "Alice", True),
        ("alice", "malice", False),
        ("*@example.com", "one@example.com", True),
        ("*@example.com", "one@example.com.attacker.com", False),
        ("*@example.com", "attacker@evil.com@example.com", False),
        ("*.corp", "a@b.corp", False),
        ("a.c", "abc", False),
    ],
)
def test_a_pattern_fits_the_whole_name(pattern: str, word: str, fits: bool) -> None:
    rules = grants.parsed([f"operator={pattern}"])

    for identity in (Identity(way="basic", name=word), Identity(way="x", name="n", email=word)):
        assert bool(grants.of(identity, rules)) == (fits or pattern == "*")


def test_groups_are_no_names() -> None:
    rules = grants.parsed(["admin=ops", "viewer=group:ops"])

    assert [one.role for one in grants.of(Identity(way="x", name="n", groups=("ops",)), rules)] == [Role.VIEWER]
    assert [one.role for one in grants.of(Identity(way="basic", name="ops"), rules)] == [Role.ADMIN]
    assert grants.of(Identity(way="basic", name="group:ops"), rules) == ()


def test_what_a_provider_calls_somebody_gives_no_role() -> None:
    """There people may choose their names."""
    rules = grants.parsed(["admin=alice", "operator=alice@example.com"])

    assert grants.of(Identity(way="oidc", name="alice"), rules) == ()
    assert grants.of(Identity(way="oidc", name="alice@example.com"), rules) == ()


@pytest.mark.parametrize(
    ("pattern", "group", "fits"),
    [
        ("ops", "ops", True),
        ("ops", "OPS", False),
        ("ops", "ops/backend", False),
        ("ops", "devops", False),
        ("ops/*", "ops/backend", True),
        ("*", "any", True),
        ("/ops", "/ops", True),
        ("cn=ops,dc=example", "cn=ops,dc=example", True),
    ],
)
def test_a_pattern_fits_the_whole_group_in_its_own_letters(pattern: str, group: str, fits: bool) -> None:
    rules = grants.parsed([f"operator=group:{pattern}"])

    assert bool(grants.of(Identity(way="x", name="n", groups=("first", group)), rules)) == (fits or pattern == "*")


def test_of_hundreds_of_groups_those_are_kept_that_make_the_same_rules_fit() -> None:
    rules = grants.parsed(["admin=group:g-7*", "viewer=group:g-7*", "operator/prod=group:h", "viewer=group:none"])
    groups = [f"g-{number}" for number in range(500)] + ["h"]
    told = grants.telling(groups, rules)

    assert told == ("g-7", "h")
    every, some = (Identity(way="x", name="n", groups=tuple(one)) for one in (groups, told))
    assert grants.of(every, rules) == grants.of(some, rules)


def test_what_we_print_as_a_hash_is_taken() -> None:
    users = passwords.Users([f"al:{passwords.hashed('p:w')}"])

    assert asyncio.run(users.check("al", "p:w")) is not None


def test_a_hash_is_werkzeugs_form_too() -> None:
    digest = hashlib.scrypt(b"p", salt=b"saltsalt", n=16384, r=8, p=1, maxmem=2**26).hex()
    users = passwords.Users([f"al:scrypt:16384:8:1$saltsalt${digest}"])

    assert asyncio.run(users.check("al", "p")) is not None
    assert asyncio.run(users.check("al", "q")) is None


def test_a_user_is_never_shown_with_the_password() -> None:
    logging.getLogger(__name__).debug("%r", SETTINGS)

    assert "wonder" not in repr(SETTINGS)
    assert "wonder" not in repr(passwords.parsed(SETTINGS.basic_auth))
