"""The completeness audit: how many task starts of each worker process were not seen, when, and why.

One leader at a time audits; a second one, for the moment of a change, waits for the first one's transaction. What was
audited stays as it is, but for intervals in which something is missing: they are counted again, because what is
redelivered or comes out of a spool may still arrive. The arithmetic is in `intervals.py`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import LiteralString

import psycopg
from psycopg.rows import tuple_row

from flower_store import intervals, losses, writes
from flower_store.intervals import Beat, Interval, Process

MOST_BEATS = 10_000
"""Heartbeats weighed in one transaction: twenty seconds of a thousand workers. 50,000, each of a process of its own,
took the collector 220 MB of memory."""

MOST_AGAIN = 500
"""Intervals counted again in one transaction."""

KEPT = timedelta(days=30)
"""How long what was audited is kept, as long as tasks are by default; a process that fell silent, a tenth of it."""

MOST_PROCESSES = 1_000
"""Processes that are known of one worker, those last heard of: a worker has one at a time, and whoever makes up
heartbeats has millions. One that restarts every minute fills sixteen hours with it."""

SLACK = timedelta(milliseconds=500)
"""Events of an interval by their clock may be so far outside of it by their time: a process reads its clock twice,
and may be interrupted in between. Under the time that a restarted worker needs until it starts a task."""

Who = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Audited:
    """What one round did: heartbeats weighed, starts found missing in new intervals, intervals corrected, and
    processes forgotten because their worker has had too many."""

    beats: int
    missing: int
    corrected: int
    forgotten: int


def audit(
    store: writes.Writer, *, grace: timedelta = timedelta(seconds=10), again_for: timedelta = timedelta(days=2)
) -> Audited:
    """Weigh the heartbeats that were stored at least `grace` ago; events that belong to them may be that late.

    By the time of storing, not by their own: a backlog is audited as it comes in, and a wrong clock delays nothing.
    What is missing is counted again for `again_for`.
    """
    with store.session() as connection, connection.transaction():
        connection.execute(_ALONE, (store.cluster_id,))
        beats = _take(connection, store.cluster_id, grace)
        found = _intervals(connection, beats)
        forgotten = _forget(connection, {worker_id for worker_id, _ in beats})
        counted = _explained(connection, store.cluster_id, _counted(connection, found))
        _keep(connection, store.cluster_id, counted)
        corrected = _again(connection, store.cluster_id, again_for)
    return Audited(sum(map(len, beats.values())), sum(one.missing for one in counted), corrected, forgotten)


def prune(store: writes.Writer, *, kept: timedelta = KEPT) -> None:
    """Forget what was audited long ago, and processes that have been silent for long."""
    with store.session() as connection:
        connection.execute(_PRUNE, (store.cluster_id, kept))
        connection.execute(_PRUNE_PROCESSES, (store.cluster_id, kept / 10))


def _take(connection: psycopg.Connection, cluster_id: int, grace: timedelta) -> dict[Who, list[Beat]]:
    beats: defaultdict[Who, list[Beat]] = defaultdict(list)
    for worker_id, pid, *beat in connection.execute(_TAKE, (cluster_id, grace, MOST_BEATS)):
        beats[worker_id, pid].append(Beat(*beat))
    return beats


def _intervals(connection: psycopg.Connection, beats: Mapping[Who, Sequence[Beat]]) -> list[Interval]:
    """The intervals between these heartbeats; the processes are moved on behind them."""
    known = _processes(connection, beats)
    found: list[Interval] = []
    moved: list[tuple[object, ...]] = []
    for who in sorted(beats):
        process, between = intervals.follow(*who, known.get(who), beats[who])
        found += between
        if process is not None and process != known.get(who):
            last = process.last
            moved.append(
                (
                    *who, process.incarnation, process.begun_at, last.at, last.clock, last.processed, last.active,
                    last.received_at, process.idle_at, process.idle_clock,
                )
            )  # fmt: skip
    _many(connection, _MOVE, moved)
    return found


def _forget(connection: psycopg.Connection, workers: Iterable[int]) -> int:
    """Of each of these workers all processes but the last ones; returns how many."""
    return connection.execute(_FORGET_PROCESSES, (list(workers), MOST_PROCESSES)).rowcount


def _processes(connection: psycopg.Connection, who: Iterable[Who]) -> dict[Who, Process]:
    # By process, not by worker: whoever makes up processes of one has made a million of them.
    rows = connection.execute(_PROCESSES, [list(column) for column in zip(*who, strict=True)] or [[], []])
    return {
        (worker_id, pid): Process(
            incarnation, begun_at, Beat(at, clock, processed, active, False, received_at), idle_at, idle_clock
        )
        for (
            worker_id, pid, incarnation, begun_at, at, clock, processed, active, received_at, idle_at, idle_clock
        ) in rows
    }  # fmt: skip


def _counted(connection: psycopg.Connection, found: Sequence[Interval]) -> list[Interval]:
    """The intervals with what the log holds of them, and those of which it holds nothing at all marked as such.

    Those that take too long to count are left out, or nothing would ever be audited again.
    """
    counted: list[Interval] = []
    freqs = _freqs(connection, {one.worker_id for one in found}) if found else {}
    for group in intervals.ranges(found):
        since, until = group[0].began_at - SLACK, max(one.ended_at for one in group) + SLACK
        columns = [
            [getattr(one, name) for one in group]
            for name in ("worker_id", "pid", "clock_from", "clock_to", "began_at", "ended_at")
        ]
        try:
            with connection.transaction():
                connection.execute(_NOT_LONG)
                rows = connection.execute(_COUNT, (*columns, columns[0], since, until, SLACK, SLACK)).fetchall()
        except psycopg.errors.QueryCanceled:
            continue
        seen = {position: (started, others) for position, started, others in rows}
        for position, interval in enumerate(group, 1):
            started, others = seen.get(position, (0, 0))
            one = replace(interval, seen=started)
            cause = losses.UNKNOWN if started or others else intervals.silence(one, freqs.get(one.worker_id))
            counted.append(replace(one, cause=cause if one.missing else None, gap_id=None))
    return counted


def _freqs(connection: psycopg.Connection, workers: Iterable[int]) -> dict[int, float | None]:
    """Seconds between the heartbeats of each worker."""
    return dict(connection.execute(_FREQS, (list(workers),)).fetchall())


def _explained(connection: psycopg.Connection, cluster_id: int, counted: Sequence[Interval]) -> list[Interval]:
    """With the gap that lies over each interval in which something is missing, where there is one."""
    short = [one for one in counted if one.missing]
    if not short:
        return list(counted)
    columns = [
        [getattr(one, name) for one in short] for name in ("began_at", "ended_at", "received_from", "received_to")
    ]
    rows = connection.execute(_GAPS, (*columns, cluster_id)).fetchall()
    gaps = {id(short[position - 1]): (reason, gap_id) for position, reason, gap_id in rows}
    found = [_with_gap(one, gaps.get(id(one))) for one in counted]
    return _switched_off(connection, cluster_id, found)


def _switched_off(connection: psycopg.Connection, cluster_id: int, found: Sequence[Interval]) -> list[Interval]:
    """With a gap for the time in which processes sent no task events: one for all of them, as long as it lasts."""
    told = [one for one in found if one.cause != losses.EVENTS_OFF]
    for episode in intervals.ranges(one for one in found if one.cause == losses.EVENTS_OFF):
        parameters = {
            "cluster": cluster_id, "from": episode[0].began_at, "until": max(one.ended_at for one in episode),
            "workers": list({one.worker_id for one in episode}),
        }  # fmt: skip
        row = connection.execute(_LONGER_GAP, parameters).fetchone()
        row = row or connection.execute(_NEW_GAP, parameters).fetchone()
        told += [replace(one, gap_id=row[0] if row else None) for one in episode]
    return told


def _with_gap(interval: Interval, gap: tuple[str, int] | None) -> Interval:
    return interval if gap is None else replace(interval, cause=gap[0], gap_id=gap[1])


def _keep(connection: psycopg.Connection, cluster_id: int, counted: Sequence[Interval]) -> None:
    by_process: defaultdict[Who, list[Interval]] = defaultdict(list)
    for interval in counted:
        by_process[interval.worker_id, interval.pid].append(interval)
    firsts = [min(found, key=_order) for found in by_process.values()]
    tails = _tails(connection, firsts)
    rows = [
        row
        for who, found in sorted(by_process.items())
        for row in intervals.compact(tails.get(who), sorted(found, key=_order))
    ]
    _store(connection, cluster_id, rows)


def _order(interval: Interval) -> tuple[int, int]:
    return interval.incarnation, interval.clock_from


def _tails(connection: psycopg.Connection, firsts: Sequence[Interval]) -> dict[Who, Interval]:
    """The rows that end where these intervals begin."""
    columns = [[getattr(one, name) for one in firsts] for name in ("worker_id", "pid", "incarnation", "clock_from")]
    return {(one.worker_id, one.pid): one for one in _read(connection, _TAILS, columns)}


def _again(connection: psycopg.Connection, cluster_id: int, within: timedelta) -> int:
    """Count again where something is missing, the sooner the younger it is; returns how many rows changed."""
    due = _read(connection, _DUE, (cluster_id, within, MOST_AGAIN))
    if not due:
        return 0
    # A gap is known a few seconds after it, and may be known only now.
    now = _explained(connection, cluster_id, _counted(connection, due))
    before = {one.id: one for one in due}
    _store(connection, cluster_id, now)
    connection.execute(_DROP_GAPS, (cluster_id, within))
    return sum(before[one.id] != one for one in now)


def _store(connection: psycopg.Connection, cluster_id: int, rows: Sequence[Interval]) -> None:
    values = [
        (
            cluster_id, one.worker_id, one.pid, one.incarnation, one.clock_from, one.clock_to, one.began_at,
            one.ended_at, one.received_from, one.received_to, one.processed, one.seen, one.missing, one.cause,
            one.gap_id,
        )
        for one in rows
    ]  # fmt: skip
    _many(connection, _STORE, values)
    missed = [(one.worker_id, one.pid, one.incarnation, one.clock_from) for one in rows if one.missing]
    _many(connection, _ALREADY_REPAIRED, missed)


def _read(connection: psycopg.Connection, statement: LiteralString, parameters: Sequence[object]) -> list[Interval]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(statement, parameters).fetchall()
    return [Interval(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


def _many(connection: psycopg.Connection, statement: LiteralString, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)


_ALONE: LiteralString = "SELECT pg_advisory_xact_lock(hashtext('flower audit'), %s)"

_NOT_LONG: LiteralString = "SET LOCAL statement_timeout = '5s'"

_TAKE: LiteralString = """
DELETE FROM process_beat b USING (
  SELECT worker_id, b.pid, at, clock FROM process_beat b JOIN worker w ON w.id = worker_id
  WHERE w.cluster_id = %s AND stored_at <= now() - %s ORDER BY stored_at LIMIT %s
) due
WHERE (b.worker_id, b.pid, b.at, b.clock) = (due.worker_id, due.pid, due.at, due.clock)
RETURNING b.worker_id, b.pid, b.at, b.clock, b.processed, b.active, b.online, b.received_at
"""

_PROCESSES: LiteralString = """
SELECT worker_id, pid, incarnation, begun_at, at, clock, processed, active, received_at, idle_at, idle_clock
FROM unnest(%s::integer[], %s::integer[]) AS who (worker_id, pid) JOIN process USING (worker_id, pid)
"""

_FREQS: LiteralString = "SELECT id, freq FROM worker WHERE id = ANY(%s)"

_MOVE: LiteralString = """
INSERT INTO process
  (worker_id, pid, incarnation, begun_at, at, clock, processed, active, received_at, idle_at, idle_clock)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (worker_id, pid) DO UPDATE SET incarnation = excluded.incarnation, begun_at = excluded.begun_at,
  at = excluded.at, clock = excluded.clock, processed = excluded.processed, active = excluded.active,
  received_at = excluded.received_at, idle_at = excluded.idle_at, idle_clock = excluded.idle_clock
"""

_FORGET_PROCESSES: LiteralString = """
DELETE FROM process p USING unnest(%s::integer[]) AS w (id) CROSS JOIN LATERAL (
  SELECT pid FROM process WHERE worker_id = w.id ORDER BY received_at DESC, pid OFFSET %s
) old
WHERE p.worker_id = w.id AND p.pid = old.pid
"""

# One reading of the log for all intervals of a stretch of time. A process that was heard of at all in an interval sends
# task events; starts are told apart by their clock, which a process gives once.
_COUNT: LiteralString = """
WITH i AS (
  SELECT * FROM unnest(%s::integer[], %s::integer[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
  WITH ORDINALITY AS i (worker_id, pid, clock_from, clock_to, began_at, ended_at, position)
), e AS (
  SELECT worker_id, pid, clock, at, type FROM task_event
  WHERE worker_id = ANY(%s) AND at BETWEEN %s AND %s AND clock > 0
)
SELECT i.position, count(DISTINCT e.clock) FILTER (WHERE e.type = 3), count(*)
FROM i JOIN e ON e.worker_id = i.worker_id AND e.pid = i.pid AND e.clock > i.clock_from AND e.clock < i.clock_to
  AND e.at BETWEEN i.began_at - %s AND i.ended_at + %s
GROUP BY i.position
"""

# By the workers' time and by ours: a worker's clock may be wrong, and a backlog arrives late.
_GAPS: LiteralString = """
SELECT i.position, g.reason, g.id FROM
  unnest(%s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
  WITH ORDINALITY AS i (began_at, ended_at, received_from, received_to, position)
CROSS JOIN LATERAL (
  SELECT reason, id FROM gap WHERE cluster_id = %s AND reason <> 'events_off' AND (
    started_at <= i.ended_at + interval '2 s' AND ended_at >= i.began_at - interval '2 s' OR
    started_at <= i.received_to + interval '2 s' AND ended_at >= i.received_from - interval '2 s')
  ORDER BY least(ended_at, i.ended_at) - greatest(started_at, i.began_at) DESC, id LIMIT 1
) g
"""

_WHOSE: LiteralString = """
(SELECT CASE WHEN count(*) = 1 THEN min(hostname) ELSE 'several workers' END FROM worker WHERE id = ANY(%(workers)s))
"""

_LONGER_GAP: LiteralString = f"""
UPDATE gap SET started_at = least(started_at, %(from)s), ended_at = greatest(ended_at, %(until)s),
  detail = CASE WHEN detail = {_WHOSE} THEN detail ELSE 'several workers' END
WHERE id = (
  SELECT id FROM gap WHERE cluster_id = %(cluster)s AND reason = 'events_off'
  AND started_at <= %(until)s + interval '1 minute' AND ended_at >= %(from)s - interval '1 minute'
  ORDER BY ended_at DESC LIMIT 1
) RETURNING id
"""

_NEW_GAP: LiteralString = f"""
INSERT INTO gap (cluster_id, started_at, ended_at, reason, detail)
VALUES (%(cluster)s, %(from)s, %(until)s, 'events_off', {_WHOSE}) RETURNING id
"""

# Events that came after all leave nothing of it.
_DROP_GAPS: LiteralString = """
DELETE FROM gap WHERE cluster_id = %s AND reason = 'events_off' AND ended_at > now() - %s
AND NOT EXISTS (
  SELECT FROM completeness c WHERE c.cluster_id = gap.cluster_id AND c.missing > 0
  AND c.ended_at BETWEEN gap.started_at AND gap.ended_at AND c.gap_id = gap.id
)
"""

_FIELDS = (
    "id", "worker_id", "pid", "incarnation", "clock_from", "clock_to", "began_at", "ended_at", "received_from",
    "received_to", "processed", "seen", "cause", "gap_id",
)  # fmt: skip

_TAILS: LiteralString = """
SELECT c.id, c.worker_id, c.pid, c.incarnation, c.clock_from, c.clock_to, c.began_at, c.ended_at, c.received_from,
  c.received_to, c.processed, c.seen, c.cause, c.gap_id
FROM unnest(%s::integer[], %s::integer[], %s::integer[], %s::bigint[]) AS i (worker_id, pid, incarnation, clock_from)
CROSS JOIN LATERAL (
  SELECT * FROM completeness c
  WHERE c.worker_id = i.worker_id AND c.pid = i.pid AND c.incarnation = i.incarnation AND c.clock_from < i.clock_from
  ORDER BY c.clock_from DESC LIMIT 1
) c
WHERE c.clock_to = i.clock_from
"""

_DUE: LiteralString = """
SELECT id, worker_id, pid, incarnation, clock_from, clock_to, began_at, ended_at, received_from, received_to,
  processed, seen, cause, gap_id
FROM completeness
WHERE cluster_id = %s AND missing > 0 AND ended_at > now() - %s
  AND (cause <> 'events_off' OR received_to > now() - interval '10 minutes')
  AND checked_at < now() - least(interval '10 minutes', (now() - received_to) / 4)
ORDER BY ended_at DESC LIMIT %s
"""

_STORE: LiteralString = """
INSERT INTO completeness (cluster_id, worker_id, pid, incarnation, clock_from, clock_to, began_at, ended_at,
  received_from, received_to, processed, seen, missing, cause, gap_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (worker_id, pid, incarnation, clock_from) DO UPDATE SET clock_to = excluded.clock_to,
  ended_at = excluded.ended_at, received_to = excluded.received_to, processed = excluded.processed,
  seen = excluded.seen, missing = excluded.missing, cause = excluded.cause, gap_id = excluded.gap_id,
  checked_at = now()
"""

# The result backend is often asked before the audit comes to an interval; `reconciling` counts what it finds later.
_ALREADY_REPAIRED: LiteralString = """
UPDATE completeness c SET repaired = greatest(c.repaired, least(c.missing, (
  SELECT count(*) FROM task t WHERE t.cluster_id = c.cluster_id AND t.found_at IS NOT NULL
  AND t.found_at BETWEEN c.began_at AND c.ended_at + interval '1 s'
  AND t.started_at IS NULL AND t.received_worker_id = c.worker_id
)))
WHERE c.worker_id = %s AND c.pid = %s AND c.incarnation = %s AND c.clock_from = %s
"""

_PRUNE: LiteralString = """
DELETE FROM completeness WHERE id IN (
  SELECT id FROM completeness WHERE cluster_id = %s AND began_at < now() - %s LIMIT 10000
)
"""

_PRUNE_PROCESSES: LiteralString = """
DELETE FROM process p USING worker w WHERE w.id = p.worker_id AND w.cluster_id = %s AND p.received_at < now() - %s
"""
