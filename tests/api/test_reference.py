"""The reference: complete, true, and served without asking anybody else."""

import re

import httpx
import pytest
from tests.api import serving
from tests.api.written import a_run

from flower_api.reference import ReferenceAssets
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

ASSETS = ReferenceAssets(script="/flower/static/swagger.js", style="/flower/static/swagger.css")


def test_every_address_of_the_api_is_in_the_reference(api: httpx.Client) -> None:
    document = api.get("/api/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/healthcheck", "/healthz", "/readyz", "/metrics", "/events/stream", "/api/tasks", "/api/task/info",
        *(f"/api/v1/clusters/{{slug}}/{each}" for each in ("collectors", "completeness", "gaps", "set-aside")),
        *(f"/api/v1/clusters/{{slug}}/{each}" for each in ("tasks", "tasks/{task_id}", "task", "task-counts")),
        *(f"/api/v1/clusters/{{slug}}/{each}" for each in ("export", "names", "series", "workers")),
        *(f"/api/v1/clusters/{{slug}}/workers/{{hostname}}{each}" for each in ("", "/history")),
        *(f"/api/v1/clusters/{{slug}}/queues{each}" for each in ("", "/{name}", "/{name}/history", "/{name}/messages")),
        *(f"/api/v1/clusters/{{slug}}/errors{each}" for each in ("", "/{group_id}")),
        "/api/v1/audit", "/api/v1/audit/export", "/api/v1/settings",
        "/api/v1/tokens", "/api/v1/tokens/{token_id}", "/api/v1/views", "/api/v1/views/{view_id}",
        "/api/queues/length",
        "/api/v1/clusters/{slug}", "/api/v1/clusters",
        "/api/task/info/{task_id}", "/api/task/types", "/api/workers", "/tasks/datatable",
        *(f"/api/v1/clusters/{{slug}}/{each}" for each in ("commands", "commands/{command_id}")),
        *(f"/api/worker/{each}/{{name}}" for each in ("shutdown", "queue/add-consumer", "queue/cancel-consumer")),
        *(f"/api/worker/pool/{each}/{{name}}" for each in ("restart", "grow", "shrink", "autoscale")),
        *(f"/api/task/{each}/{{task_id}}" for each in ("revoke", "abort", "result")),
        *(f"/api/task/{each}/{{name}}" for each in ("timeout", "rate-limit", "apply", "async-apply", "send-task")),
    }  # fmt: skip


def test_arguments_are_called_as_flower_calls_them(api: httpx.Client) -> None:
    listing = api.get("/api/openapi.json").json()["paths"]["/api/tasks"]["get"]

    assert {argument["name"] for argument in listing["parameters"]} == {
        "limit", "offset", "sort_by", "workername", "taskname", "state", "received_start", "received_end", "search",
        "cluster",
    }  # fmt: skip


@pytest.mark.parametrize(("address", "schema"), [("/api/task/info/t", "TaskInfo"), ("/api/tasks", "ListedTask")])
def test_the_reference_tells_the_keys_that_are_sent(
    api: httpx.Client, writer: Writer, address: str, schema: str
) -> None:
    writer.write(a_run("t", "n"))
    sent = api.get(address).json()

    told = next(
        value
        for name, value in api.get("/api/openapi.json").json()["components"]["schemas"].items()
        if name.endswith(schema)
    )

    assert list(told["properties"]) == list(sent if schema == "TaskInfo" else sent["t"])
    assert ("worker" in told["required"]) == (schema == "TaskInfo")


def test_the_page_loads_from_here_alone(store: StoreSettings) -> None:
    with serving.client(store, ApiSettings(port=0, url_prefix="/flower"), reference_assets=ASSETS) as client:
        page = client.get("/api/docs")
        scripts = client.get("/api/docs/start.js")

    assert page.headers["content-type"].startswith("text/html")
    assert re.findall(r'(?:src|href)="([^"]*)"', page.text) == [
        "/flower/static/swagger.css", "/flower/static/swagger.js", "/flower/api/docs/start.js",
    ]  # fmt: skip
    assert "//" not in page.text
    assert 'url: "/flower/api/openapi.json"' in scripts.text
    assert scripts.headers["content-type"].startswith("text/javascript")


def test_without_its_files_there_is_no_page(api: httpx.Client) -> None:
    assert api.get("/api/docs").status_code == 404
    assert api.get("/api/openapi.json").status_code == 200
