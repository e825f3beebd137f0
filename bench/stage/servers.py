"""The servers of a benchmark, each for one block: PostgreSQL with fsync on, RabbitMQ, Redis."""

import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql
from redis import Redis
from tests.services import programs, rabbitmq
from tests.services.rabbitmq import RabbitMQ

import flower_migrations
from flower_cli.embedded.broker import Broker
from flower_cli.embedded.postgres import Postgres

_numbers = count(1)


@contextmanager
def postgres() -> Generator[str]:
    """The URL of an empty server that keeps its promises."""
    with tempfile.TemporaryDirectory(prefix="flower-bench-") as directory, Postgres(Path(directory)) as url:
        yield url


@contextmanager
def database(server_url: str) -> Generator[str]:
    """The URL of a migrated database, gone at the end."""
    name = f"bench_{next(_numbers)}"
    url = f"{server_url.rpartition('/')[0]}/{name}"
    with psycopg.connect(server_url, autocommit=True) as administrator:
        administrator.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            flower_migrations.upgrade(url)
            yield url
        finally:
            _drop(administrator, name)


def _drop(administrator: psycopg.Connection, name: str) -> None:
    """A worker of autovacuum in it is the superuser's, whom we may not end: it ends by itself."""
    until = time.monotonic() + 60
    while True:
        try:
            administrator.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return


@contextmanager
def rabbit() -> Generator[RabbitMQ]:
    """A node; `vhost` gives a fresh place on it."""
    server = rabbitmq.find()
    if server is None:
        raise SystemExit("RabbitMQ is not here: `./run setup` fetches what it can")
    with tempfile.TemporaryDirectory(prefix="flower-bench-") as directory:
        node = RabbitMQ(server, Path(directory))
        try:
            node.start()
            yield node
        finally:
            node.discard()


@contextmanager
def vhost(node: RabbitMQ) -> Generator[str]:
    """The URL of a virtual host, gone at the end with all its queues."""
    name = f"bench-{next(_numbers)}"
    node.add_vhost(name)
    try:
        yield node.url(name)
    finally:
        node.remove_vhost(name)


@contextmanager
def redis() -> Generator[str]:
    """The URL of a server: Redis, or Valkey where there is none.

    It cuts no subscriber off, as it would by default at 32 MB unread: a stream at full speed reaches that within a
    second, and a bare kombu loop is cut off, too.
    """
    program = programs.find("redis-server")
    with tempfile.TemporaryDirectory(prefix="flower-bench-") as home, Broker(Path(home), server=program) as url:
        client = Redis.from_url(url)
        client.config_set("client-output-buffer-limit", "pubsub 0 0 0")
        client.close()
        yield url
