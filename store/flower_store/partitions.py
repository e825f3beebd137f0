"""Partitions of what comes by the day: one a day of its own time, made ahead; a default one for clocks far off."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg import sql

from flower_store import errors

PARTITIONED = ("task_event", "queue_sample")
"""The tables; the time by which they are partitioned is `at`."""

AHEAD = timedelta(days=3)
BEHIND = timedelta(days=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """One day's partition. `rows` is what the last ANALYZE found, None before the first."""

    name: str
    ends_at: datetime
    rows: int | None
    bytes: int


def days(connection: psycopg.Connection, table: str) -> list[Day]:
    """The days of a table, the oldest first."""
    with errors.translated():
        return [
            Day(name, _begins_at(name, table) + _DAY, rows if rows >= 0 else None, size)
            for name, rows, size in connection.execute(_DAYS, (table,))
        ]


def ensure(connection: psycopg.Connection, now: datetime) -> list[str]:
    """Make the partitions from yesterday to three days ahead; returns the names of the new ones.

    Rows of such a day that the default partition holds already (from a sender whose clock is ahead) move with it.
    Safe to call from several processes at once.
    """
    first = (now.astimezone(UTC) - BEHIND).replace(hour=0, minute=0, second=0, microsecond=0)
    made: list[str] = []
    with errors.translated():
        for table in PARTITIONED:
            day = first
            while day <= now + AHEAD:
                if _make(connection, table, day):
                    made.append(_name(table, day))
                day += _DAY
    return made


def _name(table: str, day: datetime) -> str:
    return f"{table}_{day:%Y%m%d}"


def _begins_at(name: str, table: str) -> datetime:
    return datetime.strptime(name.removeprefix(f"{table}_"), "%Y%m%d").replace(tzinfo=UTC)


def _make(connection: psycopg.Connection, table: str, day: datetime) -> bool:
    name = _name(table, day)
    if _exists(connection, name):
        return False
    with connection.transaction():
        # One maker at a time; the second one then finds it there.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('flower partitions'))")
        if _exists(connection, name):
            return False
        parts = {
            "name": sql.Identifier(name),
            "table": sql.Identifier(table),
            "default": sql.Identifier(f"{table}_default"),
            "start": sql.Literal(day),
            "end": sql.Literal(day + _DAY),
        }
        for statement in _STATEMENTS:
            connection.execute(sql.SQL(statement).format(**parts))
    return True


_STATEMENTS: tuple[LiteralString, ...] = (
    "CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
    "WITH moved AS (DELETE FROM {default} WHERE at >= {start} AND at < {end} RETURNING *) "
    "INSERT INTO {name} SELECT * FROM moved",
    "ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})",
)

_DAYS: LiteralString = """
SELECT c.relname, c.reltuples::bigint, pg_total_relation_size(c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::text::regclass AND c.relname ~ '_[0-9]{8}$' ORDER BY c.relname
"""

_FOUND = """
SELECT EXISTS (SELECT FROM pg_class WHERE relname = %s AND relnamespace = (
  SELECT relnamespace FROM pg_class WHERE oid = 'task_event'::regclass))
"""


def _exists(connection: psycopg.Connection, name: str) -> bool:
    # Not to_regclass: behind an advisory lock it answers from a cache that has not heard of another's commit yet.
    row = connection.execute(_FOUND, (name,)).fetchone()
    return bool(row and row[0])
