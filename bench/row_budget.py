"""How many bytes a finished task takes with all its indexes, and its four log rows: at most 600 and 500.

A real collector writes real traffic; then VACUUM. Text past 150 bytes a task (arguments, results, tracebacks) is not
counted: it is the user's own.
"""

import time

import psycopg

from bench.load.sender import Sender
from bench.load.traffic import Traffic
from bench.stage import ours, servers
from bench.stage.options import Options
from bench.stage.report import Report

TEXT = 150
TASK_LIMIT, LOG_LIMIT = 600, 500
LOG_ROWS = 4


def main(options: Options) -> None:
    report = Report("row_budget", options)
    tasks = options.choose(quick=5_000, medium=50_000, full=500_000)
    with servers.postgres() as postgres, servers.database(postgres) as database:
        with servers.rabbit() as node, servers.vhost(node) as url:
            _fill(url, database, tasks)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            report.add("task", _number(connection, _TASK) - _number(connection, _LONG_TEXT), unit="bytes")
            report.add(
                "its four log rows",
                LOG_ROWS * (_number(connection, _LOG) - _number(connection, _LONG_LOG)),
                unit="bytes",
            )
    report.note(f"limits: {TASK_LIMIT} bytes a task, {LOG_LIMIT} its four log rows; one filling, so no spread")
    report.finish()


def _fill(url: str, database: str, tasks: int) -> None:
    commits = ours.Commits(database)
    with ours.collector(url, database):
        sent = Sender(url, Traffic(tasks=tasks, start=time.time() - tasks / 1_000)).send()
        commits.wait(sent.task_events)
    commits.close()


def _number(connection: psycopg.Connection, query: str) -> float:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return float(row[0])


_TASK = "SELECT pg_total_relation_size('task')::float / count(*) FROM task"

_LOG = """
SELECT sum(pg_total_relation_size(inhrelid))::float / (SELECT count(*) FROM task_event)
FROM pg_inherits WHERE inhparent = 'task_event'::regclass
"""

_LONG_TEXT = f"""
SELECT avg(greatest(0, coalesce(pg_column_size(args), 0) + coalesce(pg_column_size(kwargs), 0)
  + coalesce(pg_column_size(result), 0) + coalesce(pg_column_size(exception), 0)
  + coalesce(pg_column_size(traceback), 0) + coalesce(pg_column_size(yielded_exception), 0)
  + coalesce(pg_column_size(yielded_traceback), 0) - {TEXT}))
FROM task
"""

_LONG_LOG = f"""
SELECT sum(greatest(0, text - {TEXT}))::float / sum(number) FROM (
  SELECT sum(pg_column_size(fields)) AS text, count(*) AS number FROM task_event GROUP BY task_id
) AS tasks
"""
