"""What the collector's tests share: an own database behind a line that can be cut, and a collector in this process."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from tests.collector import proxy
from tests.collector.proxy import Proxy
from tests.waiting import eventually

from flower_collector.service import Collector
from flower_collector.settings import CollectorSettings
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import StoreSettings

Query = Callable[..., list[tuple[Any, ...]]]

QUICK = CollectorSettings(
    collector_port=0,
    flush_after=timedelta(milliseconds=50),
    hold_for=timedelta(seconds=1),
    enable_events_interval=timedelta(seconds=1),
    inspect_interval=timedelta(seconds=2),
    inspect_timeout=timedelta(seconds=0.5),
    probe_interval=timedelta(0),
    queue_interval=timedelta(0),
    stop_timeout=timedelta(seconds=10),
)
"""Settings of tests: a free port, nothing waits for long, and nothing is on the broker but what the test puts there."""

FOR_EVER = RetentionSettings(
    retention_events=timedelta(0), retention_tasks=timedelta(0), retention_failed=timedelta(0),
    retention_minutes=timedelta(0), retention_hours=timedelta(0), retention_history=timedelta(0),
)  # fmt: skip
"""Events of tests are of a fixed day, which gets old."""


@pytest.fixture
def line(database_url: str) -> Iterator[Proxy]:
    """The line to the database."""
    line = proxy.to(database_url)
    yield line
    line.close()


@pytest.fixture
def store_settings(database_url: str, line: Proxy) -> StoreSettings:
    return StoreSettings(database_url=line.url(database_url))


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    """Ask the database itself, not by the line."""
    with psycopg.connect(database_url, autocommit=True) as connection:

        def run(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
            return connection.execute(statement.encode(), parameters or None).fetchall()

        yield run


@pytest.fixture
def launch_collector(store_settings: StoreSettings) -> Iterator[Callable[..., Collector]]:
    """Start a collector of the broker at a URL, with `QUICK` settings but for those named."""
    running: list[Collector] = []

    def start(broker: str, **changed: Any) -> Collector:
        collector = Collector(replace(QUICK, broker=broker, **changed), store_settings, retention=FOR_EVER)
        running.append(collector)
        collector.start()
        return collector

    yield start
    for collector in running:
        collector.stop()


@pytest.fixture
def start_collector(launch_collector: Callable[..., Collector]) -> Callable[..., Collector]:
    """The same, and wait until it is ready."""

    def start(broker: str, **changed: Any) -> Collector:
        collector = launch_collector(broker, **changed)
        eventually(collector.ready)
        return collector

    return start
