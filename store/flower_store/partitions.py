"""Partitions of the event log: one a day of event time, made ahead; a default one for clocks far off."""

from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from flower_store import errors

AHEAD = timedelta(days=3)
BEHIND = timedelta(days=1)
_DAY = timedelta(days=1)


def ensure(connection: psycopg.Connection, now: datetime) -> list[str]:
    """Make the partitions from yesterday to three days ahead; returns the names of the new ones.

    Rows of such a day that the default partition holds already (from a sender whose clock is ahead) move with it.
    Safe to call from several processes at once.
    """
    day = (now.astimezone(UTC) - BEHIND).replace(hour=0, minute=0, second=0, microsecond=0)
    made: list[str] = []
    with errors.translated():
        while day <= now + AHEAD:
            if _make(connection, day):
                made.append(_name(day))
            day += _DAY
    return made


def _name(day: datetime) -> str:
    return f"task_event_{day:%Y%m%d}"


def _make(connection: psycopg.Connection, day: datetime) -> bool:
    name = _name(day)
    if _exists(connection, name):
        return False
    with connection.transaction():
        # One maker at a time; the second one then finds it there.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('flower partitions'))")
        if _exists(connection, name):
            return False
        parts = {"name": sql.Identifier(name), "start": sql.Literal(day), "end": sql.Literal(day + _DAY)}
        for statement in _STATEMENTS:
            connection.execute(sql.SQL(statement).format(**parts))
    return True


_STATEMENTS = (
    "CREATE TABLE {name} (LIKE task_event INCLUDING ALL)",
    "WITH moved AS (DELETE FROM task_event_default WHERE at >= {start} AND at < {end} RETURNING *) "
    "INSERT INTO {name} SELECT * FROM moved",
    "ALTER TABLE task_event ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})",
)


_FOUND = """
SELECT EXISTS (SELECT FROM pg_class WHERE relname = %s AND relnamespace = (
  SELECT relnamespace FROM pg_class WHERE oid = 'task_event'::regclass))
"""


def _exists(connection: psycopg.Connection, name: str) -> bool:
    # Not to_regclass: behind an advisory lock it answers from a cache that has not heard of another's commit yet.
    row = connection.execute(_FOUND, (name,)).fetchone()
    return bool(row and row[0])
