"""Signs of life of worker processes, kept until the completeness audit has weighed them.

`processed` counts the tasks that a process has started, and `clock` orders the heartbeat against its task-started
events: two heartbeats say exactly how many of those there must be in between. Heartbeats may be written in any order
and twice. One without a clock orders nothing and is not kept.
"""

from collections.abc import Iterable, Mapping
from typing import LiteralString

import psycopg

from flower_store.events import WorkerEvent

_KEEP: LiteralString = """
INSERT INTO process_beat (worker_id, pid, at, clock, processed, active, online, received_at)
SELECT * FROM unnest(%s::integer[], %s::integer[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::integer[],
  %s::boolean[], %s::timestamptz[])
ON CONFLICT DO NOTHING
"""

Row = tuple[object, ...]


def write(connection: psycopg.Connection, events: Iterable[WorkerEvent], ids: Mapping[str, int]) -> None:
    """Keep these events for the audit. Inside the batch's transaction."""
    rows = sorted(
        _row(event, ids[event.hostname]) for event in events if event.clock > 0 and event.processed is not None
    )
    if rows:
        connection.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])


def _row(event: WorkerEvent, worker_id: int) -> tuple[int, int, object, int, int, int, bool, object]:
    """In the order of the key, as all collectors write them: so they lock in one order."""
    return (
        worker_id,
        event.pid,
        event.at,
        event.clock,
        event.processed or 0,
        -1 if event.active is None else event.active,
        event.type == "worker-online",
        event.received_at,
    )
