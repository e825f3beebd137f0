"""A store filled by SQL with plausible tasks: five days of sixty names on ten workers, with their log and counts.

The same for the same size, but for the time at which they end: now. Tasks lie in the table in the order of their time,
as a collector writes them; their indexes are made afterwards, so they are as compact as after a REINDEX. Counts by the
minute are there for the last day.
"""

import hashlib
import shutil
import tempfile
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from bench.stage import filling, ours
from flower_store import histograms, partitions

DAYS = 5
NAMES = tuple(f"shop.tasks.task_{number:02}" for number in range(1, 61))
"""The most frequent first."""

WORKERS = tuple(f"celery@bench-{number}" for number in range(1, 11))
QUEUES = ("celery", "mail", "slow")
BYTES_A_TASK = 3_500
"""Disk that a task may take with its indexes, its log and the write-ahead log of its filling."""


def task_id(number: int) -> str:
    """The id of a task; they are numbered from 1 in the order of time, and one in ten (…3) is a child."""
    return str(UUID(hashlib.md5(f"bench-{number}".encode(), usedforsecurity=False).hexdigest()))


def fits(tasks: int) -> bool:
    """Whether there is the disk for so many."""
    return shutil.disk_usage(tempfile.gettempdir()).free > tasks * BYTES_A_TASK


def fill(database: str, tasks: int) -> None:
    """Fill a migrated, empty database."""
    began, now = time.monotonic(), datetime.now(UTC)
    shape = {
        "slug": ours.CLUSTER, "names": list(NAMES), "workers": list(WORKERS), "queues": list(QUEUES), "tasks": tasks,
        "name_count": len(NAMES), "worker_count": len(WORKERS), "now": now,
        "micros": timedelta(days=DAYS) / tasks / timedelta(microseconds=1),
    }  # fmt: skip
    options = "-c timezone=UTC -c maintenance_work_mem=512MB -c work_mem=256MB"
    with psycopg.connect(database, autocommit=True, options=options) as connection:
        for day in range(DAYS + 1):
            partitions.ensure(connection, now - timedelta(days=day))
        for statement in filling.DIMENSIONS:
            connection.execute(statement, shape)
        indexes = [row[0] for row in connection.execute(filling.INDEXES)]
        connection.execute(filling.DROP)
        connection.execute("SELECT setseed(0.5)")
        connection.execute(filling.TASKS, shape)
        for index in (filling.KEY, *indexes):
            connection.execute(index.encode())
        connection.execute(filling.MARKS)
        connection.execute(filling.LOG)
        _count(connection, now)
        connection.execute("VACUUM (ANALYZE)")
    print(f"  ({tasks:,} tasks made in {time.monotonic() - began:.0f} s)", flush=True)


def _count(connection: psycopg.Connection, now: datetime) -> None:
    for suffix, unit, days in (("1h", "hour", DAYS + 1), ("1m", "minute", 1)):
        given = {"unit": unit, "since": now - timedelta(days=days), "bounds": list(histograms.BOUNDS)}
        connection.execute(filling.ROLLUP.format(table=f"rollup_{suffix}").encode(), given)
        connection.execute(filling.HISTOGRAM.format(table=f"histogram_{suffix}").encode(), given)
    for table, kept, summed in (
        ("rollup_1h", "type", ("count", "runtime_count", "runtime_sum")),
        ("histogram_1h", "measure, slot", ("count", "sum")),
    ):
        sums = ", ".join(f"sum({one})" for one in summed)
        connection.execute(filling.BY.format(table=table, kept=kept, summed=", ".join(summed), sums=sums).encode())
