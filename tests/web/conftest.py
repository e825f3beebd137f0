"""A dashboard as production serves it, over a database of its own."""

import threading
from collections.abc import Iterator

import httpx
import pytest
from tests.waiting import PATIENT
from tests.web import scene

from flower_api.server import Server
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings
from flower_store.writes import Writer
from flower_web.app import create_app


@pytest.fixture
def store(database_url: str) -> StoreSettings:
    return StoreSettings(database_url=database_url, database_read_timeout=PATIENT)


@pytest.fixture
def writer(store: StoreSettings) -> Iterator[Writer]:
    made = Writer(store, cluster="prod", transport="redis")
    made.connect()
    made.ensure_partitions(scene.now())
    yield made
    made.close()


@pytest.fixture
def site(store: StoreSettings) -> Iterator[str]:
    """The dashboard's address."""
    settings = ApiSettings(port=0)
    server = Server(create_app(settings, store), settings)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,), name="site")
    thread.start()
    assert ready.wait(60), "the dashboard did not start"
    yield server.address
    server.stop()
    thread.join(60)
    assert not thread.is_alive(), "the dashboard did not stop"


@pytest.fixture
def http(site: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site, headers={"Accept": "text/html"}) as client:
        yield client
