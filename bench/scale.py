"""How throughput changes: two collectors on one queue against one, and a table of 1, 3 and 10 million tasks.

The table is filled by SQL with copies of tasks that a collector wrote, under ids of their own; then a backlog is
drained into it. The log stays small: it is partitioned by the day.
"""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack

import psycopg
from tests.services.rabbitmq import RabbitMQ

from bench.load.sender import Sender
from bench.load.traffic import Traffic
from bench.stage import ours, servers
from bench.stage.options import Options
from bench.stage.report import Report
from flower_cli.embedded.process import Process

BYTES_A_TASK = 3_000
"""Disk that a task may take here, with its indexes and the write-ahead log of its filling."""


def main(options: Options) -> None:
    report = Report("scale", options)
    tasks = options.choose(quick=2_500, medium=10_000, full=50_000)
    with servers.postgres() as postgres, servers.rabbit() as node:
        for number in range(options.runs):
            for collectors in (1, 2):
                with servers.database(postgres) as database:
                    rate = _drained(node, database, _traffic(tasks, number), collectors)
                report.add(f"{collectors} collector(s)", rate, of=("1 collector(s)",) if collectors > 1 else ())
        with servers.database(postgres) as database:
            _grow(report, options, node, database, tasks)
    report.finish()


def _grow(report: Report, options: Options, node: RabbitMQ, database: str, tasks: int) -> None:
    sizes = options.choose(
        quick=(10_000, 30_000), medium=(100_000, 300_000, 1_000_000), full=(1_000_000, 3_000_000, 10_000_000)
    )
    _drained(node, database, _traffic(tasks, 99), 1)
    for size in sizes:
        if shutil.disk_usage(tempfile.gettempdir()).free < size * BYTES_A_TASK:
            report.note(f"not enough disk for {size:,} tasks")
            return
        _fill(database, size)
        for number in range(options.runs):
            rate = _drained(node, database, _traffic(tasks, size + number), 1)
            first = (f"{sizes[0]:,} tasks there",) if size > sizes[0] else ()
            report.add(f"{size:,} tasks there", rate, of=first)


def _traffic(tasks: int, seed: int) -> Traffic:
    return Traffic(tasks=tasks, seed=seed + 1, start=time.time() - tasks / 1_000)


def _drained(node: RabbitMQ, database: str, traffic: Traffic, collectors: int) -> float:
    """Events a second. The collectors stand still while the backlog is made, and go on at the same moment."""
    commits = ours.Commits(database)
    before = commits.count()
    with servers.vhost(node) as url, ExitStack() as stack:
        running = [stack.enter_context(ours.collector(url, database)).process for _ in range(collectors)]
        stack.callback(_signal, running, signal.SIGCONT)
        with Sender(url, traffic) as sender:
            _signal(running, signal.SIGSTOP)
            sender.begin()
            sent = sender.finish()
        began = time.time()
        _signal(running, signal.SIGCONT)
        committed = commits.wait(before + sent.task_events)
    commits.close()
    if committed.events != before + sent.task_events:
        raise RuntimeError(f"{committed.events - before} of {sent.task_events} events arrived")
    return sent.events / (committed.at - began)


def _signal(processes: Sequence[Process], number: signal.Signals) -> None:
    for one in processes:
        os.kill(one.pid, number)


def _fill(database: str, size: int) -> None:
    """Copy what is there until the table has so many tasks."""
    with psycopg.connect(database, autocommit=True) as connection:
        columns = ", ".join(f'"{name}"' for (name,) in connection.execute(_COLUMNS))
        copied = f"INSERT INTO task ({columns}, key) SELECT {columns}, gen_random_uuid() FROM task LIMIT %s"
        while (missing := size - _count(connection)) > 0:
            connection.execute(copied.encode(), (missing,))
        connection.execute("VACUUM (ANALYZE) task")


def _count(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM task").fetchone()
    assert row is not None
    return int(row[0])


_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = 'task'::regclass AND attnum > 0 AND NOT attisdropped
AND attgenerated = '' AND attidentity = '' AND attname <> 'key'
"""
