"""A database with a writer into it, and an API before it."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest
from tests.api import serving, written
from tests.waiting import PATIENT

from flower_store.settings import StoreSettings
from flower_store.writes import Writer


@pytest.fixture
def store(database_url: str) -> StoreSettings:
    return StoreSettings(database_url=database_url, database_read_timeout=PATIENT)


@pytest.fixture
def writer(store: StoreSettings) -> Iterator[Writer]:
    made = Writer(store, cluster="default", transport="redis")
    made.connect()
    made.ensure_partitions(written.START)
    yield made
    made.close()


@pytest.fixture
def api(store: StoreSettings) -> Iterator[httpx.Client]:
    with serving.client(store) as client:
        yield client


@pytest.fixture
def second_api(store: StoreSettings) -> Iterator[httpx.Client]:
    with serving.client(store) as client:
        yield client


@pytest.fixture
def other_writer(store: StoreSettings) -> Iterator[Writer]:
    made = Writer(store, cluster="other", transport="amqp")
    made.connect()
    made.ensure_partitions(written.START)
    yield made
    made.close()


@pytest.fixture(scope="session")
def standing_store(postgres_url: str, migrated_template: str) -> StoreSettings:
    """A database for tests that only read: the cluster `default` is empty, others are filled by who needs them."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE standing TEMPLATE {migrated_template}".encode())
    address = f"{postgres_url.rpartition('/')[0]}/standing"
    store = StoreSettings(database_url=address, database_read_timeout=PATIENT)
    written.into(store, "default", [])
    return store


@pytest.fixture(scope="session")
def standing_api(standing_store: StoreSettings) -> Iterator[httpx.Client]:
    """One API for all tests that only read: a start and a stop cost half a second."""
    with serving.client(standing_store) as client:
        yield client
