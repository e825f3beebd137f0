"""What the store's tests share: a writer on an own database, and a reader of it."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from flower_store.settings import StoreSettings
from flower_store.writes import Writer

Query = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def settings(database_url: str) -> StoreSettings:
    return StoreSettings(database_url=database_url)


@pytest.fixture
def writer(settings: StoreSettings) -> Iterator[Writer]:
    writer = Writer(settings, cluster="default", transport="amqp")
    yield writer
    writer.close()


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    with psycopg.connect(database_url, autocommit=True) as connection:

        def run(statement: str, *parameters: object) -> list[tuple[object, ...]]:
            return connection.execute(statement.encode(), parameters or None).fetchall()

        yield run
