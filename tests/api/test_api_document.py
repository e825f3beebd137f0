"""The examples of docs/api.md: each is asked as it stands there, and the answer has the keys that stand there."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from tests.api import serving

from flower_store import query, queue_samples
from flower_store.factories import NOON, a_heartbeat, an_event
from flower_store.queue_samples import QueueSample
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = re.findall(r"```sh\n(curl .*?)```(?:\n```json\n(.*?)```)?", DOCUMENT.read_text(), re.DOTALL)
ADDRESS = "http://127.0.0.1:5555"


@pytest.fixture
def example(database_url: str) -> Iterator[httpx.Client]:
    """What the document's answers tell of, an hour ago."""
    store = StoreSettings(database_url=database_url)
    began = (datetime.now(UTC) - timedelta(hours=1) - NOON).total_seconds()
    writer = Writer(store, cluster="default", transport="redis")
    writer.connect()
    writer.ensure_partitions(datetime.now(UTC))
    for number in (1, 2, 3):
        task_id = f"0190aaaa-bbbb-4ccc-8ddd-eeeeffff000{number}"
        writer.write([
            an_event("received", began, task_id=task_id, worker="celery@one", name="shop.pay"),
            an_event("started", began + 1, task_id=task_id, worker="celery@one"),
            an_event("failed", began + 2, task_id=task_id, worker="celery@one", exception="ValueError('no card')",
                     traceback="...")
            if number == 3 else
            an_event("succeeded", began + 2, task_id=task_id, worker="celery@one", result="1", runtime=1.0),
        ])  # fmt: skip
    writer.write([], [a_heartbeat(began, worker="celery@one", kind="online")])
    writer.write_replies({"celery@one": {"active_queues": [{"name": "mail"}]}}, silence=timedelta(hours=1))
    queue_samples.write(writer, [QueueSample(name="mail", messages=12, ready=12, unacked=0)])
    writer.close()
    with serving.client(store) as client:
        yield client


def asked(client: httpx.Client, command: str) -> httpx.Response:
    """What curl would ask for."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words.pop(0) == "curl"
    method, headers, body = "GET", {}, None
    arguments: list[tuple[str, str | int | float | bool | None]] = []
    address = ""
    while words:
        word = words.pop(0)
        if word == "--data-urlencode":
            name, _, value = words.pop(0).partition("=")
            arguments.append((name, value))
        elif word == "-X":
            method = words.pop(0)
        elif word == "-d":
            body = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word.startswith("http"):
            address = word
        else:
            assert word in {"-s", "-G"}, f"{word}: this test does not know the option"
    assert address.startswith(ADDRESS)
    assert not arguments or "-G" in command
    return client.request(
        method, address.removeprefix(ADDRESS), params=arguments or None, headers=headers, content=body
    )


def shape(value: object) -> object:
    """The keys, down to the first of each list."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None


def test_every_example_is_answered_as_the_document_says(example: httpx.Client) -> None:
    assert len(EXAMPLES) >= 10
    for command, expected in EXAMPLES:
        answer = asked(example, command)

        wrong = '"status": 400' in expected
        assert answer.status_code == (400 if wrong else 201 if "-X POST" in command else 200), (command, answer.text)
        if not expected:
            assert answer.text.startswith("id,name,runtime\r\n"), command
            assert answer.text.count("\n") == 4
            continue
        told = json.loads(expected)
        assert shape(answer.json()) == shape(told), command
        if wrong:
            assert answer.json()["detail"] == told["detail"]


def test_the_document_names_every_address_of_ours(example: httpx.Client) -> None:
    text = DOCUMENT.read_text()

    for path in example.get("/api/openapi.json").json()["paths"]:
        if path.startswith("/api/v1/clusters/{slug}/"):
            last = path.removeprefix("/api/v1/clusters/{slug}/").split("/")[0]
            assert f"/{last}" in text, path


def test_the_document_names_every_key_of_the_language() -> None:
    text = DOCUMENT.read_text()

    assert [
        key for key in query.KEYS if f"`{key}:" not in text and f"`{key}>" not in text and f"`{key}<" not in text
    ] == []
    assert [word for word in query.IS if f"`{word}`" not in text] == []
