"""Queues and workers that nothing refers to any more are deleted: pods with random names fill no table for ever.

A row goes when no collector used it for longer than anything is kept (`RetentionSettings.longest`) and SAFE, and
nothing refers to it. That is safe without a foreign key:

- Whoever writes an id looked it up, which moved `used_at`, at most LEASE earlier by its own clock, and at most STALE
  before its transaction by the database's; and a transaction's statements are bounded in time. SAFE is longer than that
  together, so a transaction that may refer to the row is over, and what it wrote is seen.
- What refers to a row carries the event's time. `note_future` keeps `used_at` from being earlier than that by more
  than SAFE; so it is enough to look at what is older than the row's last use and SAFE, and of that there is little.
- Ids are never given again: an identity column counts on.

Names of tasks stay, because counters of `/metrics` that were told together would fall (ADR 26); so do those of types,
whose ids are small.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg import sql

from flower_store import dimensions, fold, moments, partitions, rows
from flower_store.events import TaskEvent
from flower_store.maintenance import Sessions

SAFE = timedelta(hours=2)
"""Longer than `dimensions.LEASE` and STALE, and a transaction of some twenty statements of a minute."""

BATCH = 500
"""Names that are looked at, and deleted, at once."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Names:
    """Names of one table: its rows of other tables that go with it, and what tells that it is referred to.

    `used` selects ids from what is older than `until`; `condition` holds for an id `c.id` without other references.
    """

    table: str
    of_worker: bool
    used: LiteralString
    condition: LiteralString
    belongings: tuple[LiteralString, ...] = ()


def steps(store: Sessions, before: datetime, clusters: Collection[int]) -> Iterator[tuple[str, int]]:
    """Delete what was last used SAFE before then, or earlier; a table and a number of rows after each step that did."""
    for names in _ALL:
        for cluster_id in clusters:
            last: int | None = 0
            while last is not None:
                last, deleted = _step(store, names, cluster_id, before, last)
                if deleted:
                    yield names.table, deleted


def preview(connection: psycopg.Connection, before: datetime) -> dict[str, int]:
    """How many rows of each table would go as things are."""
    clusters = [row[0] for row in connection.execute("SELECT id FROM cluster ORDER BY id")]
    found = dict.fromkeys((names.table for names in _ALL), 0)
    for names in _ALL:
        for cluster_id in clusters:
            last = 0
            while ids := _unused(connection, names, cluster_id, before, last):
                found[names.table] += len(_unreferenced(connection, names, cluster_id, before, ids))
                last = ids[-1]
    return found


def note_future(
    cursor: psycopg.Cursor,
    events: Sequence[TaskEvent],
    folded: Mapping[str, fold.Folded],
    found: rows.Ids,
    now: datetime,
) -> None:
    """Take names for used at the time of an event that lies ahead, by a clock that is wrong. Inside the transaction."""
    ahead = moments.micros(now + SAFE / 2)
    if max(task.last for task in folded.values()) <= ahead:
        return
    used: dict[str, dict[int, int]] = {names.table: {} for names in _ALL}
    for event in events:
        if event.micros > ahead:
            table, number = _name(event, found)
            used[table][number] = max(event.micros, used[table].get(number, 0))
    for table, times in used.items():
        ids = sorted(times)
        statement = sql.SQL(_USED).format(table=sql.Identifier(table))
        cursor.execute(statement, (ids, [moments.moment(times[one]) for one in ids]))


def _name(event: TaskEvent, found: rows.Ids) -> tuple[str, int]:
    if event.type == "task-sent":
        return "queue", found.queues.get(fold.text(event.fields, "queue") or "", -1)
    return "worker", found.workers[event.hostname]


def _step(store: Sessions, names: _Names, cluster_id: int, before: datetime, last: int) -> tuple[int | None, int]:
    """Look at the next names behind this id; returns the last of them, None where there was none, and how many went."""
    with store.session() as connection:
        ids = _unused(connection, names, cluster_id, before, last)
        if not ids:
            return None, 0
        with connection.transaction():
            connection.execute(dimensions.SEES_COMMITS)  # what a lookup said of a row while we waited is seen
            held = _unused(connection, names, cluster_id, before, last, held=True)
            going = _unreferenced(connection, names, cluster_id, before, held) if held else []
            if going:
                for statement in names.belongings:
                    connection.execute(statement, {"cluster": cluster_id, "ids": going})
                connection.execute(sql.SQL(_DELETE).format(table=sql.Identifier(names.table)), (going,))
    return ids[-1], len(going)


def _unused(
    connection: psycopg.Connection, names: _Names, cluster_id: int, before: datetime, last: int, *, held: bool = False
) -> list[int]:
    """The next ids that were not used since; `held` passes over those that somebody holds, and keeps the others."""
    statement = sql.SQL(_UNUSED + (_HELD if held else "")).format(table=sql.Identifier(names.table))
    parameters = {"cluster": cluster_id, "last": last, "before": before, "safe": SAFE, "most": BATCH}
    return [row[0] for row in connection.execute(statement, parameters)]


def _unreferenced(
    connection: psycopg.Connection, names: _Names, cluster_id: int, before: datetime, ids: Sequence[int]
) -> list[int]:
    """Those of these ids to which nothing refers."""
    if names.of_worker and _logged(connection, before):
        return []
    statement = _UNREFERENCED.replace("{used}", names.used).replace("{condition}", names.condition)
    parameters = {"cluster": cluster_id, "ids": list(ids), "until": before}
    return [row[0] for row in connection.execute(statement.encode(), parameters)]


def _logged(connection: psycopg.Connection, until: datetime) -> bool:
    """Whether the log holds anything from before then; what is in no day's partition goes by when it was received."""
    for day in partitions.days(connection, "task_event"):
        if day.ends_at - _DAY < until:
            statement = sql.SQL("SELECT EXISTS (SELECT FROM {day} WHERE at < %s)").format(day=sql.Identifier(day.name))
            row = connection.execute(statement, (until,)).fetchone()
            if row and row[0]:
                return True
    return False


_UNUSED: LiteralString = """
SELECT id FROM {table} WHERE cluster_id = %(cluster)s AND id > %(last)s
AND used_at < least(%(before)s::timestamptz - %(safe)s, now() - %(safe)s) ORDER BY id LIMIT %(most)s
"""

_HELD: LiteralString = " FOR UPDATE SKIP LOCKED"

_DELETE: LiteralString = "DELETE FROM {table} WHERE id = ANY(%s)"

_USED: LiteralString = """
UPDATE {table} t SET used_at = greatest(t.used_at, u.at) FROM unnest(%s::integer[], %s::timestamptz[]) AS u (id, at)
WHERE t.id = u.id
"""

_UNREFERENCED: LiteralString = """
WITH used AS MATERIALIZED ({used})
SELECT c.id FROM unnest(%(ids)s::integer[]) AS c (id)
WHERE NOT EXISTS (SELECT FROM used u WHERE u.id = c.id) AND {condition} ORDER BY c.id
"""

_WORKERS: LiteralString = """
SELECT r.id FROM task t, LATERAL (VALUES
  (t.received_worker_id), (t.started_worker_id), (t.yielded_worker_id), (t.succeeded_worker_id), (t.failed_worker_id),
  (t.revoked_worker_id), (t.rejected_worker_id), (t.custom_worker_id)
) AS r (id) WHERE t.cluster_id = %(cluster)s AND t.seen_at < %(until)s AND r.id IS NOT NULL
UNION SELECT worker_id FROM rollup_1m WHERE cluster_id = %(cluster)s AND bucket < %(until)s
UNION SELECT worker_id FROM rollup_1h WHERE cluster_id = %(cluster)s AND bucket < %(until)s
UNION SELECT worker_id FROM histogram_1m WHERE cluster_id = %(cluster)s AND bucket < %(until)s
UNION SELECT worker_id FROM histogram_1h WHERE cluster_id = %(cluster)s AND bucket < %(until)s
UNION SELECT worker_id FROM error_1m WHERE cluster_id = %(cluster)s AND bucket < %(until)s
UNION SELECT worker_id FROM error_1h WHERE cluster_id = %(cluster)s AND bucket < %(until)s
UNION SELECT id FROM rollup_1h_by WHERE cluster_id = %(cluster)s AND bucket < %(until)s AND by = 2
UNION SELECT id FROM histogram_1h_by WHERE cluster_id = %(cluster)s AND bucket < %(until)s AND by = 2
"""

_WORKERLESS: LiteralString = """
NOT EXISTS (SELECT FROM task t WHERE t.cluster_id = %(cluster)s AND t.worker_id = c.id)
AND NOT EXISTS (SELECT FROM completeness a WHERE a.worker_id = c.id)
"""

_QUEUES: LiteralString = """
SELECT t.queue_id AS id FROM task t
WHERE t.cluster_id = %(cluster)s AND t.seen_at < %(until)s AND t.queue_id IS NOT NULL
"""

# What is told of a worker alone goes with it. Its counts over all time do, too: a series of `/metrics` may vanish, and
# those of tasks at all workers stay as they are.
_ALL = (
    _Names(
        "worker",
        True,
        _WORKERS,
        _WORKERLESS,
        (
            "DELETE FROM worker_reply WHERE worker_id = ANY(%(ids)s)",
            "DELETE FROM worker_event WHERE worker_id = ANY(%(ids)s)",
            "DELETE FROM process_beat WHERE worker_id = ANY(%(ids)s)",
            "DELETE FROM process WHERE worker_id = ANY(%(ids)s)",
            "DELETE FROM rollup_total WHERE cluster_id = %(cluster)s AND worker_id = ANY(%(ids)s)",
            "DELETE FROM histogram_total WHERE cluster_id = %(cluster)s AND worker_id = ANY(%(ids)s)",
            "DELETE FROM rollup_total_by WHERE cluster_id = %(cluster)s AND by = 2 AND id = ANY(%(ids)s)",
            "DELETE FROM histogram_total_by WHERE cluster_id = %(cluster)s AND by = 2 AND id = ANY(%(ids)s)",
        ),
    ),
    _Names("queue", False, _QUEUES, "NOT EXISTS (SELECT FROM queue_sample s WHERE s.queue_id = c.id)"),
)
