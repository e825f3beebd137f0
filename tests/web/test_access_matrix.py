"""Every route, as the application has it, asked by everybody, in a cluster of theirs and in another.

The least role of each is written down here once more: a route that is new, or that became weaker, fails.
"""

import threading
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from tests.api import written
from tests.waiting import PATIENT

from flower_api.access import rules
from flower_api.app import create_app as create_api
from flower_api.server import Server
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings
from flower_web.app import create_app

NOWHERE = StoreSettings(database_url="postgresql://nowhere/none")
ROLES = ("viewer", "operator", "admin")
ROUTES = sorted(rules.served(create_app(ApiSettings(), NOWHERE).routes, root=""))
PUBLIC = {
    "/healthcheck", "/healthz", "/readyz", "/api/openapi", "/api/openapi/openapi.json", "/api/openapi/{path}",
    "/api/openapi.json", "/api/docs", "/api/docs/start.js", "/static/{file_path}", "/static/dist/{file_path}",
    "/login", "/login/provider", "/logout",
}  # fmt: skip
OF_ALL = {
    "/metrics": "everywhere", "/api/v1/settings": "chief", "/api/v1/audit": "chief", "/api/v1/audit/export": "chief",
}  # fmt: skip
"""What tells of every cluster at once, and so needs a role in every one; and who has the least that suffices."""
LEAST = {
    "/api/worker/shutdown/{name}": "admin",
    "/api/v1/clusters/{slug}/commands": "operator",
    "/tasks/datatable": "viewer",
    "/api/v1/tokens": "viewer",
    "/api/v1/tokens/{token_id}": "viewer",
    "/api/v1/views": "viewer",
    "/api/v1/views/{view_id}": "viewer",
    "/api/v1/clusters/{slug}/errors/{group_id}": "operator",
    "/c/{cluster}/errors/{group_id}": "operator",
    **{f"/api/worker/{one}/{{name}}": "operator" for one in ("queue/add-consumer", "queue/cancel-consumer")},
    **{f"/api/worker/pool/{one}/{{name}}": "operator" for one in ("restart", "grow", "shrink", "autoscale")},
    **{f"/api/task/{one}/{{task_id}}": "operator" for one in ("revoke", "abort")},
    **{
        f"/api/task/{one}/{{name}}": "operator"
        for one in ("timeout", "rate-limit", "apply", "async-apply", "send-task")
    },
}
"""Of what is no GET."""
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "revoke": ("operator", {"tasks": ["t"]}),
    "rate_limit": ("operator", {"name": "shop.pay", "rate_limit": "1/m"}),
    "time_limit": ("operator", {"name": "shop.pay", "soft": 1}),
    "pool_grow": ("operator", {"worker": written.WORKER}),
    "pool_shrink": ("operator", {"worker": written.WORKER}),
    "pool_restart": ("operator", {"worker": written.WORKER}),
    "autoscale": ("operator", {"worker": written.WORKER, "min": 1, "max": 2}),
    "add_consumer": ("operator", {"worker": written.WORKER, "queue": "q"}),
    "cancel_consumer": ("operator", {"worker": written.WORKER, "queue": "q"}),
    "shutdown": ("admin", {"worker": written.WORKER}),
    "purge_queue": ("admin", {"queue": "q", "messages": 0}),
}
BODIES = {
    ("PATCH", "/api/v1/clusters/{slug}/errors/{group_id}"): {"status": "open"},
    ("POST", "/api/v1/clusters/{slug}/commands"): {"kind": "revoke", "tasks": ["t"]},
    ("POST", "/api/v1/tokens"): {"name": "one", "role": "viewer", "clusters": ["default"]},
}
SETTINGS = ApiSettings(
    port=0,
    basic_auth=("viewer:v", "operator:o", "admin:a", "nobody:n", "everywhere:e", "chief:c"),
    auth_provider="oidc",
    oauth2_key="flower",
    oauth2_redirect_uri="http://127.0.0.1:1/login",
    oidc_issuer="http://127.0.0.1:1",  # nobody: whoever would go there is told that it does not answer
    role=(
        "viewer/default=viewer",
        "operator/default=operator",
        "admin/default=admin",
        "viewer=everywhere",
        "admin=chief",
    ),
)
PASSWORDS = {"viewer": "v", "operator": "o", "admin": "a", "nobody": "n", "everywhere": "e", "chief": "c"}


@pytest.fixture(scope="module")
def house(postgres_url: str, migrated_template: str) -> Iterator[tuple[httpx.Client, str]]:
    """The whole of it with two clusters, in one of which each of the three has their role; and its database."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE matrix TEMPLATE {migrated_template}".encode())
    url = f"{postgres_url.rpartition('/')[0]}/matrix"
    store = StoreSettings(database_url=url, database_read_timeout=PATIENT)
    for cluster in ("default", "other"):
        written.into(store, cluster, written.a_run("t", "shop.pay"))
    server, ready = Server(create_app(SETTINGS, store), SETTINGS), threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,), name="house")
    thread.start()
    try:
        assert ready.wait(20)
        with httpx.Client(base_url=server.address, timeout=30) as client:
            yield client, url
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()


def asked(client: httpx.Client, method: str, path: str, *, role: str | None, cluster: str) -> httpx.Response:
    """The route with something in the place of each parameter."""
    filled = path.replace("{slug}", cluster).replace("{cluster}", cluster)
    for name, value in (("command_id", "1"), ("group_id", "1"), ("token_id", "1"), ("view_id", "1")):
        filled = filled.replace(f"{{{name}}}", value)
    while "{" in filled:
        filled = f"{filled[: filled.index('{')]}x{filled[filled.index('}') + 1 :]}"
    method = "HEAD" if path == "/events/stream" else method  # it never ends by itself
    params = {"c": cluster} if path == "/events/stream" else {} if names_cluster(path) else {"cluster": cluster}
    auth = (role, PASSWORDS[role]) if role else None
    return client.request(method, filled, params=params, auth=auth, json=BODIES.get((method, path)))


def names_cluster(path: str) -> bool:
    """Whether the cluster stands in the address."""
    return "{slug}" in path or "{cluster}" in path or path.startswith(("/api/v1/", "/static", "/task/")) or path == "/"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_is_for_whom_it_is_for(house: tuple[httpx.Client, str], method: str, path: str) -> None:
    client, _ = house
    stranger = asked(client, method, path, role=None, cluster="default")
    unprivileged = asked(client, method, path, role="nobody", cluster="default")

    if (method, path) == ("POST", "/login"):
        assert "The name or the password is wrong." in stranger.text  # its own 401
        return
    if path in PUBLIC:
        assert {stranger.status_code, unprivileged.status_code} & {401, 403} == set()
        return
    assert (stranger.status_code, unprivileged.status_code) == (401, 403)
    if path in OF_ALL:
        assert {asked(client, method, path, role=role, cluster="default").status_code for role in ROLES} == {403}
        assert asked(client, method, path, role=OF_ALL[path], cluster="default").status_code == 200
        weaker = asked(client, method, path, role="everywhere", cluster="default").status_code
        assert weaker == (200 if OF_ALL[path] == "everywhere" else 403)
        return
    least = "viewer" if method == "GET" else LEAST[path]
    for role in ROLES:
        answer = asked(client, method, path, role=role, cluster="default")
        allowed = ROLES.index(role) >= ROLES.index(least)
        assert (answer.status_code not in {401, 403}) == allowed, (role, answer.status_code, answer.text)
        assert allowed or f"it takes the role {least}" in answer.text


@pytest.mark.parametrize(("method", "path"), [one for one in ROUTES if one[1] not in PUBLIC])
def test_no_route_tells_or_changes_anything_of_another_s_cluster(
    house: tuple[httpx.Client, str], method: str, path: str
) -> None:
    client, _ = house
    for role in ROLES:
        answer = asked(client, method, path, role=role, cluster="other")
        unknown = asked(client, method, path, role=role, cluster="never-there")

        assert "other" not in answer.text.replace("'other'", "").replace("another", "")
        if "{slug}" in path or "{cluster}" in path or path.startswith(("/api/task", "/api/worker", "/events")):
            assert answer.status_code == unknown.status_code in {403, 404}, (role, answer.text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_command_is_for_whom_it_is_for(house: tuple[httpx.Client, str], kind: str) -> None:
    client, url = house
    least, body = KINDS[kind]
    for role in ROLES:
        rows = "SELECT count(*) FROM command WHERE kind = %s"
        with psycopg.connect(url) as connection:
            before = connection.execute(rows, (kind,)).fetchone()
        answer = client.post(
            "/api/v1/clusters/default/commands", json={"kind": kind, **body}, auth=(role, PASSWORDS[role])
        )
        with psycopg.connect(url) as connection:
            after = connection.execute(rows, (kind,)).fetchone()

        allowed = ROLES.index(role) >= ROLES.index(least)
        assert (answer.status_code != 403) == allowed, (role, answer.text)
        assert allowed or before == after
        assert client.post(
            "/api/v1/clusters/other/commands", json={"kind": kind, **body}, auth=(role, PASSWORDS[role])
        ).status_code in {403, 404}


def test_a_refusal_of_a_change_is_in_the_log(house: tuple[httpx.Client, str]) -> None:
    client, url = house

    client.post("/api/worker/shutdown/w", auth=("operator", "o"))

    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT actor, outcome, cluster_id, target->>'permission', origin FROM command WHERE kind = 'refused' "
            "AND actor = 'operator' ORDER BY id DESC LIMIT 1"
        ).fetchone()
    assert found is not None
    assert found[:4] == ("operator", "failed", None, "worker.shutdown")
    assert ", basic, request " in found[4]


def test_a_route_without_a_rule_does_not_start() -> None:
    from flower_web import pages  # noqa: PLC0415 - only here

    with pytest.raises(rules.RulesBroken, match=r"GET /c/{cluster} has no rule"):
        create_api(ApiSettings(), NOWHERE, extra_handlers=pages.handlers())


def test_a_rule_without_a_route_does_not_start() -> None:
    with pytest.raises(rules.RulesBroken, match="GET /gone is no route"):
        create_api(ApiSettings(), NOWHERE, extra_rules=rules.reads("/gone"))
