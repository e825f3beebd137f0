"""API tokens: shown once, kept as a digest, bounded by their maker, ended at once."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from tests.api import serving, written

from flower_api import stream
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings

SETTINGS = ApiSettings(
    port=0,
    basic_auth=("admin:a", "olga:o", "vic:v"),
    role=("admin=admin", "operator/default=olga", "viewer=vic"),
)
ADMIN, OLGA, VIC = ("admin", "a"), ("olga", "o"), ("vic", "v")
Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    with psycopg.connect(database_url, autocommit=True) as connection:

        def run(statement: str, *given: object) -> list[tuple[Any, ...]]:
            return connection.execute(statement.encode(), given or None).fetchall()

        yield run


@pytest.fixture
def guarded(store: StoreSettings) -> Iterator[httpx.Client]:
    for cluster in ("default", "prod"):
        written.into(store, cluster, [])
    with serving.client(store, SETTINGS) as client:
        yield client


def made(client: httpx.Client, auth: tuple[str, str] | None = ADMIN, **wanted: object) -> dict[str, Any]:
    given = httpx.BasicAuth(*auth) if auth else httpx.USE_CLIENT_DEFAULT
    answer = client.post("/api/v1/tokens", json={"name": "ci", "role": "viewer", **wanted}, auth=given)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def bearing(token: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {token['token']}"}


def test_a_token_opens_what_its_role_may(guarded: httpx.Client) -> None:
    headers = bearing(made(guarded))

    assert guarded.get("/api/tasks", headers=headers).status_code == 200
    assert guarded.get("/api/v1/clusters/prod/tasks", headers=headers).status_code == 200
    refused = guarded.post("/api/task/revoke/t", headers=headers)
    assert (refused.status_code, "task.revoke" in refused.text) == (403, True)


def test_it_is_shown_once_and_kept_as_a_digest(guarded: httpx.Client, query: Query) -> None:
    token = made(guarded)

    listed = guarded.get("/api/v1/tokens", auth=ADMIN).text
    assert token["token"] not in listed
    assert token["token"].startswith("flower_")
    assert len(token["token"]) == len("flower_") + 43
    assert query("SELECT hash FROM api_token") == [(hashlib.sha256(token["token"].encode()).digest(),)]
    everything = query("SELECT to_jsonb(command)::text FROM command")
    assert [token["token"] in row[0] for row in everything] == [False]


def test_a_revoked_token_ends_at_once_on_every_replica(store: StoreSettings, guarded: httpx.Client) -> None:
    token = made(guarded)
    with serving.client(store, SETTINGS) as second:
        before = second.get("/api/tasks", headers=bearing(token)).status_code
        revoked = guarded.delete(f"/api/v1/tokens/{token['id']}", auth=ADMIN)
        after = [client.get("/api/tasks", headers=bearing(token)) for client in (second, guarded)]

    assert (before, revoked.status_code, revoked.json()["live"]) == (200, 200, False)
    assert [one.status_code for one in after] == [401, 401]
    assert after[0].headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_an_expired_token_opens_nothing(guarded: httpx.Client, query: Query) -> None:
    token = made(guarded, expires_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    assert guarded.get("/api/tasks", headers=bearing(token)).status_code == 200

    query("UPDATE api_token SET expires_at = now() - interval '1 second' RETURNING id")

    assert guarded.get("/api/tasks", headers=bearing(token)).status_code == 401


def test_a_token_is_of_its_clusters(guarded: httpx.Client) -> None:
    headers = bearing(made(guarded, role="admin", clusters=["prod"]))

    assert guarded.get("/api/v1/clusters/prod/tasks", headers=headers).status_code == 200
    assert guarded.get("/api/v1/clusters/default/tasks", headers=headers).status_code == 404
    assert [one["slug"] for one in guarded.get("/api/v1/clusters", headers=headers).json()["clusters"]] == ["prod"]


@pytest.mark.parametrize(
    ("auth", "wanted"),
    [
        (VIC, {"role": "operator"}),
        (VIC, {"role": "admin", "clusters": ["prod"]}),
        (OLGA, {"role": "operator"}),
        (OLGA, {"role": "viewer"}),
        (OLGA, {"role": "admin", "clusters": ["default"]}),
    ],
)
def test_nobody_makes_a_token_that_may_more(
    guarded: httpx.Client, query: Query, auth: tuple[str, str], wanted: dict[str, object]
) -> None:
    answer = guarded.post("/api/v1/tokens", json={"name": "n", **wanted}, auth=auth)

    assert answer.status_code == 403, answer.text
    assert query("SELECT count(*) FROM api_token") == [(0,)]


def test_a_cluster_that_may_not_be_seen_is_unknown(guarded: httpx.Client) -> None:
    wanted = {"name": "n", "role": "viewer", "clusters": ["prod"]}

    assert guarded.post("/api/v1/tokens", json=wanted, auth=OLGA).status_code == 404


def test_a_token_makes_no_tokens(guarded: httpx.Client) -> None:
    headers = bearing(made(guarded, role="admin"))

    answer = guarded.post("/api/v1/tokens", json={"name": "n", "role": "viewer"}, headers=headers)

    assert answer.status_code == 403


def test_a_token_may_no_more_than_its_maker_may_now(store: StoreSettings, guarded: httpx.Client) -> None:
    of_admin, of_vic = made(guarded, role="admin"), made(guarded, VIC)
    demoted = ApiSettings(port=0, basic_auth=("admin:a",), role=("viewer=admin",))

    with serving.client(store, demoted) as client:
        assert client.get("/api/tasks", headers=bearing(of_admin)).status_code == 200
        assert client.post("/api/task/revoke/t", headers=bearing(of_admin)).status_code == 403
        assert client.get("/api/tasks", headers=bearing(of_vic)).status_code == 401  # vic is gone


def test_each_sees_and_revokes_their_own(guarded: httpx.Client) -> None:
    mine, others = made(guarded, VIC, name="mine"), made(guarded, ADMIN, name="others")

    seen = guarded.get("/api/v1/tokens", auth=VIC).json()["tokens"]
    refused = guarded.delete(f"/api/v1/tokens/{others['id']}", auth=VIC)
    by_admin = guarded.get("/api/v1/tokens", auth=ADMIN).json()["tokens"]

    assert [one["name"] for one in seen] == ["mine"]
    assert refused.status_code == 404
    assert guarded.get("/api/tasks", headers=bearing(others)).status_code == 200
    assert [one["name"] for one in by_admin] == ["others", "mine"]
    assert guarded.delete(f"/api/v1/tokens/{mine['id']}", auth=ADMIN).status_code == 200


def test_the_last_use_is_written_at_most_once_a_minute(guarded: httpx.Client, query: Query) -> None:
    token = made(guarded)
    for _ in range(3):
        guarded.get("/api/tasks", headers=bearing(token))
    first = query("SELECT used_at, xmin::text FROM api_token")
    guarded.get("/api/tasks", headers=bearing(token))
    same = query("SELECT used_at, xmin::text FROM api_token")
    query("UPDATE api_token SET used_at = used_at - interval '61 seconds' RETURNING id")
    guarded.get("/api/tasks", headers=bearing(token))
    later = query("SELECT used_at FROM api_token")

    assert first == same
    assert later[0][0] > first[0][0]


def test_what_happens_to_tokens_is_in_the_log(guarded: httpx.Client, query: Query) -> None:
    token = made(guarded, OLGA, role="operator", clusters=["default"])
    guarded.post("/api/task/revoke/t", headers=bearing(token))
    guarded.delete(f"/api/v1/tokens/{token['id']}", auth=OLGA)
    guarded.get("/api/tasks", headers=bearing(token))
    guarded.get("/api/tasks", headers={"Authorization": "Bearer flower_never"})

    rows = query("SELECT kind, actor, origin, target, outcome FROM command ORDER BY id")

    assert [(kind, actor) for kind, actor, *_ in rows] == [
        ("token_created", "olga"),
        ("revoke", "olga"),
        ("token_revoked", "olga"),
        ("token_refused", "olga"),
        ("token_refused", "unknown"),
    ]
    assert f", token {token['id']}, request " in rows[1][2]
    assert rows[0][3] == {"token": token["id"], "name": "ci", "role": "operator", "clusters": ["default"]}
    assert rows[3][3:] == ({"token": token["id"]}, "failed")


def test_wrong_tokens_are_limited_and_do_not_fill_the_log_and_right_ones_pass(
    guarded: httpx.Client, query: Query
) -> None:
    token = made(guarded)

    codes = [
        guarded.get("/api/tasks", headers={"Authorization": f"Bearer flower_{number}"}).status_code
        for number in range(32)
    ]

    assert codes == [401] * 30 + [429] * 2
    assert query("SELECT count(*) FROM command WHERE kind = 'token_refused'") == [(20,)]
    assert guarded.get("/api/tasks", headers=bearing(token)).status_code == 200


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"role": "boss"}, "role"),
        ({"clusters": []}, "clusters"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2999-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
        ({"nme": "x"}, "nme"),
    ],
)
def test_what_is_no_token_is_told_by_its_field(guarded: httpx.Client, wanted: dict[str, object], field: str) -> None:
    answer = guarded.post("/api/v1/tokens", json={"name": "n", "role": "viewer", **wanted}, auth=ADMIN)

    assert answer.status_code == 400
    assert field in answer.json()["detail"]


def test_a_token_works_beside_the_door_of_this_machine(store: StoreSettings) -> None:
    with serving.client(store) as client:
        token = made(client, auth=None)
        elsewhere = {"X-Forwarded-For": "192.0.2.7"}

        assert client.get("/api/task/types", headers=elsewhere).status_code == 401
        assert client.get("/api/task/types", headers=elsewhere | bearing(token)).status_code == 200
        assert client.get("/api/task/types", headers={"Authorization": "Bearer x"}).status_code == 401


def test_while_everybody_is_answered_no_token_can_be_made(store: StoreSettings) -> None:
    with serving.client(store, ApiSettings(port=0, unauthenticated_api=True)) as client:
        answer = client.post("/api/v1/tokens", json={"name": "later", "role": "admin"})

    assert answer.status_code == 403


def test_an_instance_that_only_reads_can_take_a_token_back(store: StoreSettings) -> None:
    with serving.client(store, ApiSettings(port=0, basic_auth=("admin:a",), read_only=True)) as client:
        token = made(client, role="admin")

        assert client.post("/api/task/revoke/t", headers=bearing(token)).text == "Read only mode is enabled"
        assert client.delete(f"/api/v1/tokens/{token['id']}", auth=ADMIN).status_code == 200


def test_a_page_of_another_site_makes_no_token(guarded: httpx.Client, query: Query) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = guarded.post("/api/v1/tokens", json={"name": "n", "role": "admin"}, auth=ADMIN, headers=headers)
        assert answer.status_code == 403

    assert query("SELECT count(*) FROM api_token") == [(0,)]


def test_an_event_stream_ends_with_its_token(guarded: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", timedelta(seconds=0.05))
    token = made(guarded)

    with guarded.stream("GET", "/events/stream", headers=bearing(token)) as opened:
        lines = opened.iter_lines()
        first = next(lines)
        guarded.delete(f"/api/v1/tokens/{token['id']}", auth=ADMIN)
        rest = list(lines)  # it ends, or this waits for ever and the client gives up

    assert (opened.status_code, first) == (200, "event: changed")
    assert rest[0].startswith("data: ")
