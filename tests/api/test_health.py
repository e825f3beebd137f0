"""Whether the process lives, and which part of its work it cannot do."""

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from tests.api import serving

from flower_api.app import create_app
from flower_api.server import Server
from flower_store import errors
from flower_store.settings import StoreSettings
from flower_store.writes import Instance, Writer

AWAY = StoreSettings(database_url="postgresql://user:S3cret@127.0.0.1:1/nowhere")


@pytest.fixture
def lonely_api() -> Iterator[httpx.Client]:
    """An API whose database is not there."""
    with serving.client(AWAY) as client:
        yield client


def test_flowers_own_sign_of_life(api: httpx.Client) -> None:
    answer = api.get("/healthcheck")

    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/healthcheck", "/healthz"])
def test_a_process_without_its_database_lives(lonely_api: httpx.Client, path: str) -> None:
    assert lonely_api.get(path).status_code == 200


def test_a_process_without_its_database_is_not_ready_and_says_why(lonely_api: httpx.Client) -> None:
    answer = lonely_api.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert answer.json()["database"] == "cannot be reached"


def test_a_collector_that_beats_is_told(api: httpx.Client, writer: Writer) -> None:
    instance = Instance(id=uuid.uuid4(), hostname="h", pid=os.getpid(), version="3", promise="all of it")
    writer.beat(instance, stored=1, aside=0, lag=timedelta(0))

    answer = api.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["collectors"] == {"default": "ok"}


def test_a_broker_that_is_away_is_told_and_leaves_the_process_ready(api: httpx.Client, writer: Writer) -> None:
    instance = Instance(id=uuid.uuid4(), hostname="h", pid=os.getpid(), version="3", promise="all of it")
    writer.beat(instance, stored=1, aside=0, lag=None, broker_away_at=datetime(2026, 3, 1, tzinfo=UTC))

    answer = api.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["collectors"] == {"default": "broker away since 2026-03-01T00:00:00+00:00"}


def test_one_of_two_living_collectors_that_has_its_broker_is_enough(api: httpx.Client, writer: Writer) -> None:
    for broker_away_at in (datetime(2026, 3, 1, tzinfo=UTC), None):
        instance = Instance(id=uuid.uuid4(), hostname="h", pid=os.getpid(), version="3", promise="all of it")
        writer.beat(instance, stored=1, aside=0, lag=None, broker_away_at=broker_away_at)

    answer = api.get("/readyz")

    assert answer.json()["collectors"] == {"default": "ok"}


def test_a_silent_collector_is_told_and_leaves_the_process_ready(
    api: httpx.Client, writer: Writer, database_url: str
) -> None:
    instance = Instance(id=uuid.uuid4(), hostname="h", pid=os.getpid(), version="3", promise="all of it")
    writer.beat(instance, stored=1, aside=0, lag=None)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE collector SET beat_at = '2026-03-01T00:00:00Z'")

    answer = api.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["collectors"] == {"default": "silent since 2026-03-01T00:00:00+00:00"}


def test_a_schema_that_changed_under_a_running_process_makes_it_unready(api: httpx.Client, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")

    answer = api.get("/readyz")

    assert answer.status_code == 503
    assert "run `flower migrate`" in answer.json()["schema"]


def test_an_empty_database_is_refused_at_start(empty_database_url: str) -> None:
    store = StoreSettings(database_url=empty_database_url)
    server = Server(create_app(serving.FREE_PORT, store), serving.FREE_PORT)

    with pytest.raises(errors.WrongSchema, match=r"the database is empty.*flower migrate"):
        server.run()


@pytest.mark.parametrize("path", ["/api/tasks", "/api/task/info/t", "/api/workers", "/events/stream", "/readyz"])
def test_no_answer_says_where_the_database_is(lonely_api: httpx.Client, path: str) -> None:
    answer = lonely_api.get(path)

    assert answer.status_code == 503
    for secret in ("S3cret", "127.0.0.1", "user", "nowhere", "psycopg", "Traceback"):
        assert secret not in answer.text
