"""How much of the disk what is stored takes, and what has to go for it to fit.

A file does not shrink when rows are deleted; their room is used again. So the size of tasks is reckoned from their
number and their mean size, as the last ANALYZE (autovacuum's, too) found them, and not read off the file.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg

from flower_store import partitions

ROW_OVERHEAD = 28
"""Bytes of a row's header and its pointer (PostgreSQL manual, "Database Page Layout")."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Days of events to drop, the oldest first; then, so many tasks to delete."""

    days: Sequence[partitions.Day]
    tasks: int


def plan(connection: psycopg.Connection, most: int, *, now: datetime, gone: Collection[str] = frozenset()) -> Plan:
    """What to delete so that everything fits into `most` bytes; 0 is no bound. `gone` are days that go anyway."""
    if not most:
        return Plan([], 0)
    days = [day for day in partitions.days(connection, "task_event") if day.name not in gone]
    tasks, task_bytes = _tasks(connection)
    excess = taken(connection, gone=gone) - most
    dropped: list[partitions.Day] = []
    for day in days:
        if excess <= 0 or day.ends_at > now:
            break
        dropped.append(day)
        excess -= day.bytes
    return Plan(dropped, min(tasks, int(excess / task_bytes) + 1) if excess > 0 and tasks else 0)


def taken(connection: psycopg.Connection, *, gone: Collection[str] = frozenset()) -> int:
    """Bytes that everything takes, but for days that go anyway."""
    tasks, task_bytes = _tasks(connection)
    days = (day.bytes for day in partitions.days(connection, "task_event") if day.name not in gone)
    return _others(connection) + sum(days) + int(tasks * task_bytes)


def _tasks(connection: psycopg.Connection) -> tuple[int, float]:
    """The number of tasks, and the bytes that one takes with its share of indexes and of what is stored apart."""
    row = connection.execute(_TASKS, (ROW_OVERHEAD,)).fetchone()
    rows, heap_row, heap, all_of_it = row or (0, 0, 0, 0)
    return int(rows), float(heap_row) * all_of_it / max(1, heap)


def _others(connection: psycopg.Connection) -> int:
    row = connection.execute(_OTHERS).fetchone()
    return int(row[0]) if row else 0


_TASKS: LiteralString = """
SELECT greatest(c.reltuples, 0), %s + coalesce(sum(s.avg_width * (1 - s.null_frac)), 0),
  pg_relation_size(c.oid), pg_total_relation_size(c.oid)
FROM pg_class c LEFT JOIN pg_stats s ON s.tablename = c.relname AND s.schemaname = c.relnamespace::regnamespace::text
WHERE c.oid = 'task'::regclass GROUP BY c.oid, c.reltuples
"""

_OTHERS: LiteralString = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'task'::regclass)
AND c.oid <> 'task'::regclass AND NOT EXISTS (
  SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid AND i.inhparent = 'task_event'::regclass
  AND c.relname <> 'task_event_default'
)
"""
