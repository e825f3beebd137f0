"""Unfinished tasks to be looked up in the result backend, and what was found there.

What is found stands in the row as the register with the lowest key (`states.py`): no event writes it, a real end
overrules it, and so does whatever begins after it. Counts and rollups are of events, and are not touched by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from flower_store import fingerprint, groups, moments, notices, states, writes

LONGEST_TEXT = 65_536
"""Characters of a result or a traceback that are kept."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task of which no event has told the end."""

    key: UUID
    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended, as a result backend knows it. `done_at` is None where it does not say."""

    state: str
    done_at: datetime | None
    result: str | None = None
    traceback: str | None = None


def candidates(store: writes.Writer, *, after: timedelta, most: int) -> list[Candidate]:
    """At most so many tasks: marked ones, then those of gaps, then any that have been unfinished for longer."""
    found: dict[UUID, Candidate] = {}
    with store.session() as connection:
        for statement in (_MARKED, _OF_GAPS, _OLD):
            parameters = {"cluster": store.cluster_id, "after": after, "most": most - len(found)}
            if parameters["most"]:
                found |= {key: Candidate(key, task_id) for key, task_id in connection.execute(statement, parameters)}
    return list(found.values())


def keep(store: writes.Writer, looked: Sequence[Candidate], outcomes: Sequence[tuple[UUID, Outcome]]) -> int:
    """Close the tasks whose end was found, note when to look for the others again; returns how many were closed."""
    fingerprints = {
        key: fingerprint.fingerprint(_text(one.result), _text(one.traceback))
        for key, one in outcomes
        if one.state == states.FAILURE
    }
    with store.session() as connection:
        ids = store.error_groups(connection, fingerprints.values())
        failed = {key: ids[one] for key, one in fingerprints.items()}
        return _keep(connection, store.cluster_id, looked, outcomes, failed)


def _keep(
    connection: psycopg.Connection,
    cluster_id: int,
    looked: Sequence[Candidate],
    outcomes: Sequence[tuple[UUID, Outcome]],
    failed: Mapping[UUID, int],
) -> int:
    with connection.transaction(), connection.cursor() as cursor:
        closed = _close(cursor, cluster_id, outcomes, failed)
        done = {row[0] for row in closed}
        again = sorted(one.key for one in looked if one.key not in done)
        cursor.execute(_AGAIN, (cluster_id, again))
        cursor.execute(_FORGET, (cluster_id,))
        for _, worker_id, at in closed:
            cursor.execute(_REPAIRED, {"cluster": cluster_id, "worker": worker_id, "at": at})
        if closed:
            notices.send(cursor, cluster_id)
    return len(closed)


def _close(
    cursor: psycopg.Cursor,
    cluster_id: int,
    outcomes: Sequence[tuple[UUID, Outcome]],
    failed: Mapping[UUID, int],
) -> list[tuple[UUID, int | None, datetime | None]]:
    """The keys of those that were closed; worker and time of the end of those whose start nobody saw."""
    if not outcomes:
        return []
    rows = sorted(outcomes, key=lambda one: one[0])
    columns = (
        [key for key, _ in rows],
        [one.state for _, one in rows],
        [one.done_at for _, one in rows],
        [_text(one.result) for _, one in rows],
        [_text(one.traceback) for _, one in rows],
        [failed.get(key) for key, _ in rows],
    )
    closed = cursor.execute(_CLOSE, (*columns, cluster_id)).fetchall()
    _count(cursor, closed)
    return [tuple(row[:3]) for row in closed]


def _count(cursor: psycopg.Cursor, closed: Sequence[tuple[Any, ...]]) -> None:
    """Move the times of the failures' groups; their counts are of events."""
    found: dict[int, groups.Failures] = {}
    for *_, group_id, at in closed:
        if group_id is not None:
            micros = moments.micros(at)
            there = found.setdefault(group_id, groups.Failures(0, micros, micros))
            there.first, there.last = min(there.first, micros), max(there.last, micros)
    if found:
        groups.count(cursor, found)


def _text(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "␀")[:LONGEST_TEXT]


_UNFINISHED: LiteralString = "('PENDING', 'RECEIVED', 'STARTED', 'RETRY')"

_SELECT: LiteralString = """
SELECT t.key, coalesce(t.id_text, t.key::text) FROM task t
LEFT JOIN task_look l ON l.cluster_id = t.cluster_id AND l.key = t.key
"""

_DUE: LiteralString = " AND (l.next_at IS NULL OR l.next_at <= now()) "

_MARKED: LiteralString = (
    _SELECT
    + """
JOIN task_mark m ON m.cluster_id = t.cluster_id AND m.key = t.key AND m.state = t.state
WHERE t.cluster_id = %(cluster)s AND m.kind <> 'overdue'"""
    + _DUE
    + "LIMIT %(most)s"
)

# Seen before the end of a gap, and nothing heard of since: for tasks that wait in a queue this asks in vain, ever more
# rarely.
_OF_GAPS: LiteralString = (
    _SELECT
    + """
WHERE t.cluster_id = %(cluster)s AND t.state IN """
    + _UNFINISHED
    + """
AND EXISTS (
  SELECT FROM gap g WHERE g.cluster_id = %(cluster)s AND g.ended_at > now() - interval '2 days'
  AND g.ended_at < now() - interval '2 s' AND t.last_at <= g.ended_at AND t.last_at > g.started_at - interval '1 hour')
"""
    + _DUE
    + "ORDER BY t.seen_at DESC LIMIT %(most)s"
)

_OLD: LiteralString = (
    _SELECT
    + """
WHERE t.cluster_id = %(cluster)s AND t.state IN """
    + _UNFINISHED
    + """
AND t.seen_at < now() - %(after)s AND t.last_at < now() - %(after)s AND (t.due_at IS NULL OR t.due_at < now())
"""
    + _DUE
    + "ORDER BY t.seen_at LIMIT %(most)s"
)

# In the order of the key, as batches lock. A failure of before the task's last start is that of an earlier run; but a
# start may be told a moment after a short task has ended.
_CLOSE: LiteralString = """
WITH found AS (
  SELECT * FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::integer[])
    AS f (key, state, done_at, result, traceback, group_id)
), locked AS (
  SELECT t.cluster_id, t.key FROM task t JOIN found f ON f.key = t.key
  WHERE t.cluster_id = %s AND t.state NOT IN ('SUCCESS', 'FAILURE', 'REVOKED', 'REJECTED')
  AND (f.state = 'SUCCESS' OR f.done_at IS NULL OR t.started_at IS NULL OR f.done_at >= t.started_at - interval '10 s')
  ORDER BY t.key FOR UPDATE OF t
)
UPDATE task t SET found_state = f.state, found_result = f.result, found_traceback = f.traceback,
  found_group_id = f.group_id,
  found_at = greatest(coalesce(f.done_at, now()), t.started_at, t.received_at)
FROM found f, locked k WHERE f.key = k.key AND t.cluster_id = k.cluster_id AND t.key = k.key
RETURNING t.key, t.received_worker_id, CASE WHEN t.started_at IS NULL THEN coalesce(f.done_at, now()) END,
  f.group_id, t.found_at
"""

_AGAIN: LiteralString = """
INSERT INTO task_look AS l (cluster_id, key, looks, next_at)
SELECT %s, key, 1, now() + interval '10 s' FROM unnest(%s::uuid[]) AS key ORDER BY key
ON CONFLICT (cluster_id, key) DO UPDATE SET looks = least(l.looks + 1, 10),
  next_at = now() + interval '10 s' * 2 ^ least(l.looks, 9)
"""

_FORGET: LiteralString = """
DELETE FROM task_look l WHERE l.cluster_id = %s AND l.next_at < now() AND NOT EXISTS (
  SELECT FROM task t WHERE t.cluster_id = l.cluster_id AND t.key = l.key
  AND t.state IN ('PENDING', 'RECEIVED', 'STARTED', 'RETRY'))
"""

# A task counts for one interval, that in which it ended: of the worker that received it, where that is known.
_REPAIRED: LiteralString = """
UPDATE completeness SET repaired = repaired + 1 WHERE id = (
  SELECT id FROM completeness WHERE cluster_id = %(cluster)s AND missing > repaired
  AND %(at)s::timestamptz BETWEEN began_at AND ended_at + interval '1 s'
  AND (%(worker)s::integer IS NULL OR worker_id = %(worker)s)
  ORDER BY ended_at LIMIT 1
)
"""
