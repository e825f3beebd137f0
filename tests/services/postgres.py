"""PostgreSQL for tests: one private server a session, a fresh migrated database a test.

- `database_url`: an own, migrated database; gone after the test.
- `empty_database_url`: the same without tables, for tests of the migrations themselves.
"""

import importlib
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from tests.services import programs

from flower_cli.embedded import errors
from flower_cli.embedded.postgres import Postgres

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    # Not under pytest's own directory: it is closed to nobody, whom the server becomes in some containers.
    with tempfile.TemporaryDirectory(prefix="flower-postgres-") as directory:
        server = Postgres(Path(directory), durable=False)
        try:
            url = server.start()
        except errors.NotFound:
            programs.missing("PostgreSQL")
        try:
            yield url
        finally:
            server.stop()


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> str:
    """The name of a database with the newest schema, which others are copied from."""
    name = "template_migrated"
    with _administrator(postgres_url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    upgrade = _upgrade()
    if upgrade is not None:
        upgrade(_named(postgres_url, name))
    return name


@pytest.fixture
def database_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    with _database(postgres_url, template=migrated_template) as url:
        yield url


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    with _database(postgres_url, template="template0") as url:
        yield url


@contextmanager
def _database(server_url: str, *, template: str) -> Generator[str]:
    name = f"test_{next(_numbers)}"
    with _administrator(server_url) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    try:
        yield _named(server_url, name)
    finally:
        with _administrator(server_url) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _administrator(server_url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(server_url, autocommit=True)


def _named(server_url: str, name: str) -> str:
    return f"{server_url.rpartition('/')[0]}/{name}"


def _upgrade() -> Callable[[str], None] | None:
    """The migrations, once they exist."""
    try:
        migrations = importlib.import_module("flower_migrations")
    except ModuleNotFoundError:
        return None
    upgrade: Callable[[str], None] | None = getattr(migrations, "upgrade", None)
    return upgrade
