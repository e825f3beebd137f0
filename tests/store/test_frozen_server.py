"""A server that is frozen keeps none of its own time-outs: its clients must."""

import asyncio
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text
from tests.waiting import eventually

import flower_migrations
from flower_cli.embedded.postgres import Postgres
from flower_store import errors
from flower_store.reader import Reader
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

SHORT = timedelta(milliseconds=500)


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="flower-frozen-") as directory:
        yield Path(directory)


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    with Postgres(home, durable=False) as url:
        flower_migrations.upgrade(url)
        yield url


@contextmanager
def frozen(home: Path) -> Generator[None]:
    postmaster = psutil.Process(int((home / "data" / "postmaster.pid").read_text().split()[0]))
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


@pytest.mark.slow
def test_a_writer_gives_a_frozen_server_up_and_goes_on_when_it_thaws(home: Path, url: str) -> None:
    writer = Writer(StoreSettings(database_url=url, database_write_timeout=SHORT), cluster="default")
    writer.connect()

    with frozen(home), pytest.raises(errors.Unavailable):
        writer.mark_lost_workers()

    eventually(lambda: writer.mark_lost_workers() == 0)
    writer.close()


@pytest.mark.slow
def test_a_read_of_a_frozen_server_is_a_time_out(home: Path, url: str) -> None:
    async def read() -> None:
        reader = Reader(StoreSettings(database_url=url, database_read_timeout=SHORT))
        try:
            async with reader.connect() as connection:
                await connection.execute(text("SELECT 1"))
            with frozen(home), pytest.raises(errors.StatementTimeout):
                async with reader.connect() as connection:
                    await connection.execute(text("SELECT 1"))
            async with reader.connect() as connection:
                assert await connection.scalar(text("SELECT 1")) == 1
        finally:
            await reader.close()

    asyncio.run(read())
