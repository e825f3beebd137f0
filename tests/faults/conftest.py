"""What the tests under faults share: chance with a seed, and the eyes of somebody who asks the database itself."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.e2e.collecting import CollectorProcess

Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """The seed that pytest prints at the start of a run; `--randomly-seed=…` gives the same faults again."""
    found = pytestconfig.getoption("randomly_seed")
    assert isinstance(found, int)
    return found


@pytest.fixture
def chance(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    with psycopg.connect(database_url, autocommit=True) as connection:

        def run(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
            return connection.execute(statement.encode(), parameters or None).fetchall()

        yield run


@pytest.fixture
def start_collector(tmp_path: Path, database_url: str) -> Iterator[Callable[[str], CollectorProcess]]:
    """Start a collector of the broker at a URL, a process of its own, and wait until it is ready."""
    running: list[CollectorProcess] = []

    def start(broker_url: str) -> CollectorProcess:
        running.append(CollectorProcess(tmp_path, broker_url=broker_url, database_url=database_url))
        running[-1].start()
        return running[-1]

    yield start
    for collector in running:
        collector.kill()
