"""The examples of docs/api.md that change something: asked as they stand there, and done by a real worker."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.api import serving
from tests.e2e.collecting import CollectorProcess
from tests.services.celery_app import client
from tests.services.workers import StartWorker
from tests.waiting import eventually

from flower_store.settings import StoreSettings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
CONSOLES = re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL)
EXAMPLES = [
    tuple(one.split("\n", 1))
    for console in CONSOLES
    for one in re.split(r"^\$ ", re.sub(r"\\\n *", "", console), flags=re.MULTILINE)
    if one
]
ADDRESS = "http://127.0.0.1:5555"
ANYTHING = "…"


@pytest.fixture
def ours(
    tmp_path: Path, rabbitmq_url: str, redis_url: str, database_url: str, start_worker: StartWorker
) -> Iterator[httpx.Client]:
    """A worker `celery@one` that serves `mail`, and a failure that was seen."""
    collector = CollectorProcess(
        tmp_path, broker_url=rabbitmq_url, database_url=database_url, settings={"FLOWER_RESULT_BACKEND": redis_url}
    )
    collector.start()
    start_worker(rabbitmq_url, result_backend=redis_url, hostname="celery@one", queues=("mail",))
    client(rabbitmq_url).send_task("tests.fail", (1,), queue="mail")
    with serving.client(StoreSettings(database_url=database_url)) as ours:
        ours.timeout = httpx.Timeout(60)
        eventually(lambda: ours.get("/api/v1/clusters/default/errors").json()["errors"])
        eventually(lambda: "registered" in ours.get("/api/workers").json().get("celery@one", {}))
        yield ours
    collector.kill()


def asked(ours: httpx.Client, command: str) -> str:
    """What curl would print."""
    words = shlex.split(command)
    assert words.pop(0) == "curl"
    method, body, address = "", None, ""
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-d":
                body = words.pop(0)
            case word:
                assert word.startswith(ADDRESS), word
                address = word.removeprefix(ADDRESS)
    return ours.request(method or ("GET" if body is None else "POST"), address, content=body).text


def test_every_example_that_changes_something_is_answered_as_the_document_says(ours: httpx.Client) -> None:
    assert len(EXAMPLES) >= 6
    for command, expected in EXAMPLES:
        said = asked(ours, command)

        told = ".*".join(re.escape(part) for part in expected.strip().split(ANYTHING))
        assert re.match(told, said, re.DOTALL), (command, said)
