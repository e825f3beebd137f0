"""Passwords, keys and redacted values of a real cluster: searched for in all that Flower stores, says and answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url
from tests.e2e.collecting import CollectorProcess
from tests.faults.api_process import ApiProcess
from tests.services import celery_app
from tests.services.redis_servers import StartRedis
from tests.services.workers import StartWorker, Worker
from tests.waiting import eventually

from flower_api.access import rules
from flower_api.settings import ApiSettings
from flower_store import tables
from flower_store.settings import StoreSettings
from flower_web.app import create_app

pytestmark = pytest.mark.slow

BROKER, MONGO, KEY, OWN, WRONG = (f"swordfish{number}" for number in range(5))
REDACTED = "hunter"
CONF = {"my_mongo_uri": f"mongodb://shop:{MONGO}@db/shop", "AWS_SECRET_ACCESS_KEY": KEY, "harmless": "kept as it is"}
ENDLESS = {"/events/stream"}
"""Answers that never end by themselves: they tell which tasks changed, and nothing of them."""


@dataclass(frozen=True)
class Scene:
    collector: CollectorProcess
    api: ApiProcess
    worker: Worker
    client: httpx.Client
    routes: list[str]
    database_url: str


@pytest.fixture
def scene(tmp_path: Path, database_url: str, start_redis: StartRedis, start_worker: StartWorker) -> Iterator[Scene]:
    server = start_redis(f"requirepass {BROKER}", password=BROKER)
    broker = f"redis://:{BROKER}@127.0.0.1:{server.port}/0"
    settings = {"FLOWER_REDACT_VALUES": rf"{REDACTED}\d", "FLOWER_RESULT_BACKEND": broker}
    collector = CollectorProcess(tmp_path, broker_url=broker, database_url=database_url, settings=settings)
    collector.start()
    users = f"alice:{OWN}"
    app = create_app(ApiSettings(port=0, basic_auth=(users,)), StoreSettings(database_url=database_url))
    routes = sorted(path for method, path in rules.served(app.routes, root="") if method == "GET")
    api = ApiProcess(tmp_path, database_url=database_url, settings={"FLOWER_BASIC_AUTH": users})
    try:
        api.start()
        with httpx.Client(base_url=api.address, auth=("alice", OWN), timeout=60) as client:
            worker = start_worker(broker, result_backend=broker, settings=CONF)
            celery = celery_app.client(broker, broker)
            celery.send_task("shop.pay", (f"{REDACTED}1",), {"currency": f"{REDACTED}2"})
            celery.send_task("tests.fail", (f"{REDACTED}3",))
            yield Scene(collector, api, worker, client, routes, database_url)
    finally:
        api.kill()
        collector.kill()


def test_no_secret_is_in_the_store_an_answer_a_page_or_a_log(scene: Scene) -> None:
    client, host = scene.client, scene.worker.hostname
    eventually(lambda: {"SUCCESS", "FAILURE"} <= {one["state"] for one in client.get("/api/tasks").json().values()})
    eventually(lambda: "harmless" in client.get("/api/workers", params={"refresh": "true"}).text)
    sent = client.post("/api/task/async-apply/shop.pay", json={"args": [f"{REDACTED}4", f"{REDACTED}5"]}).json()
    eventually(lambda: '"state":"SUCCESS"' in client.get(f"/api/v1/clusters/default/tasks/{sent['task-id']}").text)
    httpx.post(f"{client.base_url}/login", data={"name": "alice", "password": WRONG})
    token = client.post("/api/v1/tokens", json={"name": "one", "role": "viewer", "clusters": ["default"]}).json()
    group = client.get("/api/v1/clusters/default/errors").json()["errors"][0]["id"]
    secrets = [BROKER, MONGO, KEY, OWN, WRONG, token["token"], str(make_url(scene.database_url).password)]

    answers = {path: filled(client, path, sent["task-id"], host, str(group)) for path in scene.routes}

    places = answers | stored(scene.database_url) | {
        "the collector's log": scene.collector.log,
        "the collector's metrics": scene.collector.page("metrics"),
        "the API's log": scene.api.log,
    }  # fmt: skip
    assert "kept as it is" in places["/api/workers"]
    assert "shop.pay" in places["/c/{cluster}/tasks"]
    assert "collector started" in places["the collector's log"]
    assert "API starting" in places["the API's log"]
    for place, text in places.items():
        assert [one for one in secrets if one in text] == [], place
        assert REDACTED not in text.replace(rf"{REDACTED}\d", ""), place


def filled(client: httpx.Client, path: str, task: str, host: str, group: str) -> str:
    """What the address answers, of the task, worker, queue and error group that there are."""
    if path in ENDLESS:
        return ""
    values = {
        "slug": "default", "cluster": "default", "task_id": task, "hostname": host, "group_id": group, "name": "celery",
        "command_id": "1",
    }  # fmt: skip
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    params = {"id": task} if path.endswith("/task") else {}
    return client.get(path, params=params, follow_redirects=True).text


def stored(database_url: str) -> dict[str, str]:
    """Every table as text."""
    with psycopg.connect(database_url) as connection:
        query = sql.SQL("SELECT coalesce(string_agg(t::text, '\n'), '') FROM {} AS t")
        names = [table.name for table in tables.metadata.sorted_tables]
        return {
            f"table {name}": connection.execute(query.format(sql.Identifier(name))).fetchone()[0]  # type: ignore[index]
            for name in names
        }
