"""The end of a run under faults: what the store holds, against what was published (set algebra on the events' times).

`acknowledged` events must all be there. An event that was attempted and never confirmed may be there (`recovered`) or
not; what was not attempted must not be. Rows of tasks and workers, the log and the counts must be those of exactly the
events that are there, in every column that the events determine (`model.py`); the other columns are named here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row
from tests.faults import model
from tests.faults.load import Published
from tests.faults.model import Row
from tests.store import recount

from flower_store import packing
from flower_store.events import TaskEvent, WorkerEvent

Connection = psycopg.Connection[Any]
Key = TypeVar("Key")

TOLD = 5
"""Differences that a verdict tells of each kind of rows."""

TASKS = """
SELECT t.*, n.name, q.name AS queue, w.hostname AS worker, a.hostname AS received_worker, b.hostname AS started_worker,
  c.hostname AS yielded_worker, d.hostname AS succeeded_worker, e.hostname AS failed_worker,
  f.hostname AS revoked_worker, g.hostname AS rejected_worker, h.hostname AS custom_worker,
  CASE WHEN t.failed_group_id IS NOT NULL THEN ARRAY[x.exception, x.message, x.frame] END AS failed_group
FROM task t LEFT JOIN task_name n ON n.id = t.name_id LEFT JOIN queue q ON q.id = t.queue_id
LEFT JOIN worker w ON w.id = t.worker_id LEFT JOIN worker a ON a.id = t.received_worker_id
LEFT JOIN worker b ON b.id = t.started_worker_id LEFT JOIN worker c ON c.id = t.yielded_worker_id
LEFT JOIN worker d ON d.id = t.succeeded_worker_id LEFT JOIN worker e ON e.id = t.failed_worker_id
LEFT JOIN worker f ON f.id = t.revoked_worker_id LEFT JOIN worker g ON g.id = t.rejected_worker_id
LEFT JOIN worker h ON h.id = t.custom_worker_id LEFT JOIN error_group x ON x.id = t.failed_group_id
"""
IDS = {
    "id", "cluster_id", "name_id", "queue_id", "worker_id", "failed_group_id", "received_worker_id",
    "started_worker_id", "yielded_worker_id", "succeeded_worker_id", "failed_worker_id", "revoked_worker_id",
    "rejected_worker_id", "custom_worker_id",
}  # fmt: skip
"""Columns of tasks that are compared by the name for which they stand, or that say nothing."""

LOG = """
SELECT e.at, t.key, e.type AS code, k.name AS type, w.hostname AS worker, e.pid, e.clock, e.digest,
  n.name AS counted_under, e.name_id, t.name_id AS known_id, e.fields, CASE WHEN e.type = 2 AND e.fields ~ '^-?[0-9]'
    THEN (SELECT s.fields FROM task_event s WHERE s.task_id = e.task_id AND s.type = 1 AND s.fields LIKE '[%'
      AND s.at = e.at - e.fields::bigint * interval '1 us') END AS sent
FROM task_event e LEFT JOIN task t ON t.id = e.task_id LEFT JOIN event_type k ON k.id = e.type
LEFT JOIN worker w ON w.id = e.worker_id LEFT JOIN task_name n ON n.id = e.name_id
"""

WORKERS = "SELECT * FROM worker WHERE heartbeat_at IS NOT NULL OR offline_at IS NOT NULL"
OWN_TIME = {"id", "cluster_id", "hostname", "alive_until", "seen_at", "used_at"}
"""Columns of workers that are in the database's clock."""
COMINGS = """
SELECT w.hostname, e.type, e.at, e.pid FROM worker_event e JOIN worker w ON w.id = e.worker_id
WHERE e.type <> 'worker-lost'
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Numbers of events, and of wrong rows; the rollups and histograms that are not what the log says.

    `differences` tells some of the wrong rows: what is there, and what should be.
    """

    attempted: int
    acknowledged: int
    recovered: int
    lost: int
    duplicated: int
    unexpected: int
    wrong_rows: int
    wrong_log: int
    wrong_workers: int
    miscounted: tuple[str, ...]
    differences: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        rows = self.wrong_rows or self.wrong_log or self.wrong_workers
        return not (self.lost or self.duplicated or self.unexpected or rows or self.miscounted)


def judge(database_url: str, published: Published) -> Verdict:
    """Look at the store after everything has come to rest."""
    with psycopg.connect(database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        log = cursor.execute(LOG).fetchall()
        times = Counter(row["at"] for row in log)
        there = [event for at, event in published.attempted.items() if at in times]
        rows = list(_differences(_tasks(cursor), _expected_tasks(there)))
        entries = list(_differences(dict(map(_entry, log)), {event.at: model.logged(event) for event in there}))
        workers = list(_wrong_workers(cursor, published))
        return Verdict(
            attempted=len(published.attempted),
            acknowledged=len(published.confirmed),
            recovered=len(there) - len(published.confirmed & times.keys()),
            lost=len(published.confirmed - times.keys()),
            duplicated=times.total() - len(times),
            unexpected=len(times.keys() - published.attempted.keys()),
            wrong_rows=len(rows),
            wrong_log=len(entries),
            wrong_workers=len(workers),
            miscounted=_miscounted(connection),
            differences=(*rows[:TOLD], *entries[:TOLD], *workers[:TOLD]),
        )


def _miscounted(connection: Connection) -> tuple[str, ...]:
    try:
        return tuple(recount.differences(connection))
    except (TypeError, ValueError) as error:  # a log that is wrong itself may be past counting
        return (f"cannot be counted again: {error}",)


def _tasks(cursor: psycopg.Cursor[Row]) -> dict[object, Row]:
    return {row["key"]: _without(row, IDS) for row in cursor.execute(TASKS)}


def _without(row: Row, columns: set[str]) -> Row:
    return {name: value for name, value in row.items() if name not in columns}


def _expected_tasks(events: Iterable[TaskEvent]) -> dict[object, Row]:
    tasks: defaultdict[str, list[TaskEvent]] = defaultdict(list)
    for event in events:
        tasks[event.task_id].append(event)
    rows = {task_id: model.task_row(task_id, history) for task_id, history in tasks.items()}
    return {row["key"]: row for row in rows.values()}


def _entry(row: Row) -> tuple[datetime, Row]:
    """One row of the log, as the model has it. Its name is the event's own, or the task's, or was not known yet."""
    try:
        fields = packing.unpacked(row["code"], str(row["key"]), row["counted_under"], row["fields"], sent=row["sent"])
    except ValueError:
        fields = {"undecodable": row["fields"]}
    entry = {name: row[name] for name in ("at", "key", "type", "worker", "pid", "clock", "digest")}
    if row["code"] not in packing.NAMED and row["name_id"] not in {0, row["known_id"]}:
        entry["counted_under"] = row["counted_under"]
    return row["at"], entry | {"fields": fields}


def _differences(found: Mapping[Key, Row], expected: Mapping[Key, Row]) -> Iterator[str]:
    for key in sorted(found.keys() | expected.keys(), key=str):
        there, right = found.get(key), expected.get(key)
        if there != right:
            yield f"{key}: {_difference(there, right)}"


def _difference(found: Row | None, expected: Row | None) -> str:
    if found is None or expected is None:
        return "is missing" if found is None else "is too much"
    names = sorted(name for name in found.keys() | expected.keys() if _differ(name, found, expected))
    return ", ".join(f"{name} is {found.get(name)!r}, not {expected.get(name)!r}" for name in names)


def _differ(name: str, found: Row, expected: Row) -> bool:
    return name not in found or name not in expected or found[name] != expected[name]


def _wrong_workers(cursor: psycopg.Cursor[Row], published: Published) -> Iterator[str]:
    """Of heartbeats none is kept but the last, which is a confirmed one, or a later one that may have come or not."""
    rows = {row["hostname"]: _without(row, OWN_TIME) for row in cursor.execute(WORKERS)}
    came = [one for one, confirmed in published.workers if confirmed or _came(rows.get(one.hostname), one)]
    yield from _differences(rows, model.worker_rows(came))
    logged = Counter(tuple(row.values()) for row in cursor.execute(COMINGS))
    told = {_coming(one): confirmed for one, confirmed in published.workers if one.type != "worker-heartbeat"}
    for coming, number in logged.items():
        if number != 1 or coming not in told:
            yield f"{coming} is there {number} times"
    yield from (f"{coming} is missing" for coming, confirmed in told.items() if confirmed and coming not in logged)


def _came(row: Row | None, event: WorkerEvent) -> bool:
    return row is not None and event.at in {row["heartbeat_at"], row["offline_at"]}


def _coming(event: WorkerEvent) -> tuple[object, ...]:
    return (event.hostname, event.type, event.at, event.pid)
