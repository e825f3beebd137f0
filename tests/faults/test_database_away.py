"""T26, T27, T32, T33: PostgreSQL stopped, full or read-only under load: an outage each, and nothing is lost."""

import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from tests.collector import proxy
from tests.collector.proxy import Proxy
from tests.faults import scene, trial
from tests.faults.nemesis import TERMINATE
from tests.faults.scene import Database
from tests.faults.trial import Trial
from tests.faults.vitals import MEGABYTE

import flower_migrations

pytestmark = pytest.mark.slow

TEN_MINUTES = 600.0
DISK = 256 * MEGABYTE
BALLAST = "ballast"


@pytest.fixture
def database() -> Iterator[Database]:
    with scene.database() as server:
        yield server


@pytest.fixture
def line(database: Database) -> Iterator[Proxy]:
    line = proxy.to(database.url)
    yield line
    line.close()


@pytest.fixture
def tried(tmp_path: Path, rabbitmq_url: str, database: Database, line: Proxy, seed: int) -> Iterator[Trial]:
    """By a line that finds the server wherever it starts again."""
    url = line.url(database.url)
    with trial.under_load(tmp_path, rabbitmq_url, url, direct=lambda: database.url, seed=seed) as tried:
        yield tried


@pytest.mark.parametrize(
    "seconds", [8.0, pytest.param(60.0, marks=pytest.mark.faults), pytest.param(TEN_MINUTES, marks=pytest.mark.faults)]
)
def test_a_collector_lives_through_an_outage_and_then_stores_all(
    tried: Trial, database: Database, line: Proxy, seconds: float
) -> None:
    database.crash()
    tried.is_away()
    tried.lives_through(seconds)
    line.lead_to(database.start())

    tried.goes_on()
    tried.all_is_there_once()


def test_a_server_that_became_read_only_is_away_and_spoils_no_event(tried: Trial, database: Database) -> None:
    database.query("ALTER DATABASE flower SET default_transaction_read_only = on")
    database.query(TERMINATE)
    tried.is_away()
    tried.lives_through(3)
    assert "read-only transaction" in tried.process.log

    with psycopg.connect(database.url, options="-c default_transaction_read_only=off", autocommit=True) as connection:
        connection.execute("ALTER DATABASE flower RESET default_transaction_read_only")

    tried.goes_on()
    tried.all_is_there_once()


def test_a_full_disk_is_an_outage_and_spoils_no_event(tmp_path: Path, rabbitmq_url: str, seed: int) -> None:
    """Tables and write-ahead log on one small disk. Once the log has no room either, the server ends until it has."""
    with small_disk() as disk, scene.serving(Database(disk)) as server:
        flower_migrations.upgrade(server.url)
        line = proxy.to(server.url)
        with trial.under_load(
            tmp_path, rabbitmq_url, line.url(server.url), direct=lambda: server.url, seed=seed
        ) as tried:
            fill(disk)
            tried.is_away()
            tried.lives_through(3)
            assert "No space left" in tried.process.log

            (disk / BALLAST).unlink()
            if not server.running:
                server.stop()
                line.lead_to(server.start())

            tried.goes_on()
            tried.all_is_there_once()
        line.close()


@contextmanager
def small_disk() -> Generator[Path]:
    """A file system of its own in memory, which only root may mount."""
    with tempfile.TemporaryDirectory(prefix="flower-disk-") as name:
        mounting = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", name], capture_output=True, check=False
        )
        if mounting.returncode != 0:
            pytest.skip(f"a disk that can be filled must be mounted: {mounting.stderr.decode().strip()}")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def fill(disk: Path) -> None:
    """Take all the room that there is."""
    with (disk / BALLAST).open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    assert shutil.disk_usage(disk).free == 0
