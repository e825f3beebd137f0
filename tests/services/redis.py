"""Redis for tests: one private server a session (redis-server, else Valkey's), emptied for each test.

- `redis_url`: an empty server.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from tests.services import programs

from flower_cli.embedded import errors
from flower_cli.embedded.broker import Broker


@pytest.fixture(scope="session")
def redis_session_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="flower-redis-") as directory:
        broker = Broker(Path(directory), server=programs.find("redis-server"))
        try:
            url = broker.start()
        except errors.NotFound:
            programs.missing("Redis")
        try:
            yield url
        finally:
            broker.stop()


@pytest.fixture
def redis_url(redis_session_url: str) -> str:
    # PUB/SUB knows no database numbers, so tests must not share the server at the same time: they take turns.
    with redis.Redis.from_url(redis_session_url) as client:
        client.flushall()
    return redis_session_url
