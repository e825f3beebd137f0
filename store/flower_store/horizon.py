"""The log's horizon: the moment before which retention has dropped, or is about to drop, events.

Whether an event from before it was logged and counted already, nobody can say any more. Such an event still updates
its task's row, which is a maximum and takes no harm, but it is neither logged nor counted. And a task may only be
deleted when all its events lie before the horizon: the log knows an event by its task's row.
"""

import threading
from datetime import datetime
from typing import LiteralString

import psycopg

LOOK_SECONDS = 0.02
"""Between looks whether the batches that were under way have ended."""

LOOKS = 150
"""Three seconds of them: somebody's forgotten transaction must not keep the other chores waiting."""


def read(connection: psycopg.Connection) -> datetime | None:
    """The horizon; None while nothing was ever dropped."""
    return answered(ask(connection))


def ask(connection: psycopg.Connection) -> psycopg.Cursor:
    """Ask for it within a pipeline. A batch asks after it has locked rows of `task`: `advance` waits for whoever holds
    such a lock."""
    return connection.execute(_READ)


def answered(asked: psycopg.Cursor) -> datetime | None:
    """What `ask` was answered."""
    row = asked.fetchone()
    return row[0] if row else None


def advance(connection: psycopg.Connection, until: datetime, stopping: threading.Event) -> bool:
    """Move the horizon forward, never back; True when no batch is under way that has not heard of it.

    As CREATE INDEX CONCURRENTLY does, it waits for those alone that held a lock at that moment, and nobody waits for
    it. False when they take too long, or we are asked to stop: then nothing may be dropped yet.
    """
    connection.execute(_ADVANCE, (until,))
    waited = set(connection.execute(_WRITING).fetchall())
    looks = LOOKS
    while waited and looks and not stopping.wait(LOOK_SECONDS):
        waited &= set(connection.execute(_WRITING).fetchall())
        looks -= 1
    return not waited


_READ: LiteralString = "SELECT (value #>> '{}')::timestamptz FROM setting WHERE name = 'log_horizon'"

_ADVANCE: LiteralString = """
INSERT INTO setting (name, value) VALUES ('log_horizon', to_jsonb(%s::timestamptz))
ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = now()
WHERE (setting.value #>> '{}')::timestamptz < (excluded.value #>> '{}')::timestamptz
"""

_WRITING: LiteralString = """
SELECT pid, virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'task'::regclass AND mode = 'RowExclusiveLock' AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
"""
