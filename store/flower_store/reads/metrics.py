"""What `/metrics` tells, from totals that never fall and from the rows of unfinished tasks; the same on every replica.

What is told is bounded by the number of series of workers and tasks, and what falls under the bound is a function of
the store. A series of a counter may vanish or come, but one that is there never changes what it counts, or its fall or
leap would be taken for events:

- The workers that were alive last come first. Those that are offline vanish where they do not fit.
- A cluster whose living workers do not fit is told by task alone, with the worker `(overflow)`, all workers included.
- Of its tasks the first ones ever seen are told apart, and all others are `(overflow)`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import counting, event_types, histograms, marks, states
from flower_store.dimensions import OVERFLOW
from flower_store.metric_records import EventCounts, Prefetch, QueueTimes, Runtimes, Snapshot, WorkerState

UNFINISHED = 10_000
"""Tasks that are looked at for what is prefetched, of each state and cluster, the newest first."""

TYPES = 5
"""Types of events that a task usually has: the bound on series allows a fifth of it for names."""

QUEUES = 100
"""Queues of a cluster by which times are told apart, the first ones ever seen; of names, a twentieth of the bound."""

_CLIENTS = 0
_OTHERS = -1
_Rows = Sequence[Mapping[Any, Any]]


@dataclass(frozen=True, slots=True)
class _Known:
    """The clusters, and the workers that may be shown, those that were alive last first."""

    clusters: Mapping[int, str]
    workers: _Rows
    hosts: Mapping[int, str]
    names: dict[int, str] = field(default_factory=dict)

    def online(self, cluster_id: int) -> list[int]:
        return [_CLIENTS, *(row["id"] for row in self.workers if row["online"] and row["cluster_id"] == cluster_id)]


async def snapshot(connection: AsyncConnection, *, most: int, purge: timedelta | None) -> Snapshot:
    """At most about `most` series of events, and half as many workers; none that is offline for longer than `purge`.

    The connection's transaction must be REPEATABLE READ.
    """
    found = await connection.execute(text("SELECT id, slug FROM cluster ORDER BY id"))
    workers = (await connection.execute(_WORKERS, {"purge": purge, "most": most})).mappings().all()
    hosts = {row["id"]: row["hostname"] for row in workers} | {_CLIENTS: "", _OTHERS: OVERFLOW}
    known = _Known({row[0]: row[1] for row in found}, workers, hosts)
    crowded = await _crowded(connection, known, most)
    detail = await _detail(connection, known, crowded, most)
    whole = await _by_name(connection, crowded, most)
    shown = [row["worker_id"] for row in detail]
    runtimes = await _runtimes(connection, known, crowded, shown, most)
    unfinished = await _unfinished(connection, known, crowded)
    queues = (
        (await connection.execute(_QUEUES, {"names": most // 20, "queues": QUEUES, "others": _OTHERS})).mappings().all()
    )
    ids = {one for row in (*detail, *whole) for one in row["names"]} | {
        row["name_id"] for row in (*runtimes, *unfinished, *queues)
    }
    known.names.update(await _names(connection, ids))
    apart = {(row["cluster_id"], one) for row in whole for one in row["names"]}
    return Snapshot(
        workers=[
            WorkerState(known.clusters[row["cluster_id"]], row["hostname"], row["online"], row["active"])
            for row in workers[: most // 2]
            if row["told"]
        ],
        events=[*_events(known, detail), *_events(known, whole)],
        runtimes=_runtimes_of(known, runtimes),
        queues=_queues_of(known, queues),
        prefetch=_prefetch(known, unfinished, crowded, apart),
    )


async def _crowded(connection: AsyncConnection, known: _Known, most: int) -> list[int]:
    """The clusters whose living workers have too many series: the largest, until the others fit."""
    series: dict[int, int] = {}
    for cluster_id in known.clusters:
        given = {"cluster": cluster_id, "ids": known.online(cluster_id), "most": most + 1}
        series[cluster_id] = (await connection.execute(_SERIES, given)).scalar_one()
    found: list[int] = []
    for cluster_id in sorted(series, key=lambda one: (series[one], one), reverse=True):
        if sum(series.values()) <= most:
            break
        found.append(cluster_id)
        del series[cluster_id]
    return found


async def _detail(connection: AsyncConnection, known: _Known, crowded: Collection[int], most: int) -> _Rows:
    """Counts by worker. The last worker may be cut off by the bound, and then is left out."""
    places = [(one, _CLIENTS) for one in known.clusters if one not in crowded]
    places += [(row["cluster_id"], row["id"]) for row in known.workers if row["cluster_id"] not in crowded]
    given = {"clusters": [one for one, _ in places], "ids": [one for _, one in places], "most": most + 1}
    rows = (await connection.execute(_DETAIL, given)).mappings().all()
    full = sum(len(row["names"]) for row in rows) > most
    return rows[:-1] if full else rows


async def _by_name(connection: AsyncConnection, crowded: Collection[int], most: int) -> _Rows:
    given = {"clusters": list(crowded), "by": counting.NAME, "apart": most // TYPES, "others": _OTHERS}
    return (await connection.execute(_WHOLE, given)).mappings().all() if crowded else []


async def _runtimes(
    connection: AsyncConnection, known: _Known, crowded: Collection[int], shown: Sequence[int], most: int
) -> _Rows:
    given: dict[str, Any] = {"clusters": list(known.clusters), "ids": list(shown), "measure": histograms.RUNTIME}
    rows = [*(await connection.execute(_RUNTIMES, given)).mappings()]
    if crowded:
        given |= {"clusters": list(crowded), "by": counting.NAME, "apart": most // TYPES, "others": _OTHERS}
        rows += (await connection.execute(_WHOLE_RUNTIMES, given)).mappings()
    return rows


async def _unfinished(connection: AsyncConnection, known: _Known, crowded: Collection[int]) -> _Rows:
    given = {"clusters": list(known.clusters), "states": [states.RECEIVED, states.STARTED], "most": UNFINISHED}
    kinds = {"received": states.RECEIVED, "started": states.STARTED, "gone": [marks.LOST, marks.ENDED_UNSEEN]}
    given |= {"crowded": list(crowded), "others": _OTHERS}
    return (await connection.execute(_UNFINISHED, given | kinds)).mappings().all()


async def _names(connection: AsyncConnection, ids: Collection[int]) -> dict[int, str]:
    rows = await connection.execute(
        text("SELECT id, name FROM task_name WHERE id = ANY(CAST(:ids AS int[]))"), {"ids": list(ids)}
    )
    return {0: "", _OTHERS: OVERFLOW} | {row[0]: row[1] for row in rows}


def _events(known: _Known, rows: _Rows) -> list[EventCounts]:
    return [
        EventCounts(
            known.clusters[row["cluster_id"]],
            known.hosts[row["worker_id"]],
            [known.names[one] for one in row["names"]],
            row["types"],
            row["counts"],
        )
        for row in rows
    ]


def _runtimes_of(known: _Known, rows: _Rows) -> list[Runtimes]:
    return [
        Runtimes(
            known.clusters[row["cluster_id"]],
            known.hosts[row["worker_id"]],
            known.names[row["name_id"]],
            dict(zip(row["slots"], row["counts"], strict=True)),
            float(row["seconds"]),
        )
        for row in rows
    ]


def _queues_of(known: _Known, rows: _Rows) -> list[QueueTimes]:
    return [
        QueueTimes(
            known.clusters[row["cluster_id"]],
            row["queue"],
            known.names[row["name_id"]],
            row["measure"],
            dict(zip(row["slots"], row["counts"], strict=True)),
            float(row["seconds"]),
        )
        for row in rows
    ]


def _prefetch(
    known: _Known, rows: _Rows, crowded: Collection[int], apart: Collection[tuple[int, int]]
) -> dict[tuple[str, str, str], Prefetch]:
    """Of tasks that are not told apart, the sum, and the time of the one that was started last."""
    tasks: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    last: dict[tuple[str, str, str], tuple[Any, float]] = {}
    for row in rows:
        cluster_id, name_id = row["cluster_id"], row["name_id"]
        if row["worker_id"] not in known.hosts:  # more live than are shown
            continue
        together = cluster_id in crowded and (cluster_id, name_id) not in apart
        key = (
            known.clusters[cluster_id],
            known.hosts[row["worker_id"]],
            OVERFLOW if together else known.names[name_id],
        )
        tasks[key] += row["prefetched"]
        if row["started_at"] is not None and (key not in last or last[key][0] < row["started_at"]):
            last[key] = row["started_at"], float(row["waited"])
    return {key: Prefetch(number, last.get(key, (None, 0.0))[1]) for key, number in tasks.items()}


_WORKERS = text("""
SELECT id, cluster_id, hostname, coalesce(alive_until > now(), false) AS online, active,
  alive_until IS NOT NULL OR offline_at IS NOT NULL AS told
FROM worker
WHERE CAST(:purge AS interval) IS NULL OR alive_until > now() - CAST(:purge AS interval)
ORDER BY coalesce(alive_until > now(), false) DESC, alive_until DESC NULLS LAST, id LIMIT :most
""")

# LATERAL with a LIMIT: the workers are gone through in their order, and no further than needed.
_SERIES = text("""
SELECT count(*) FROM (
  SELECT FROM unnest(CAST(:ids AS int[])) AS s (id), LATERAL (
    SELECT FROM rollup_total r WHERE r.cluster_id = :cluster AND r.worker_id = s.id LIMIT :most
  ) AS r LIMIT :most
) AS counted
""")

_DETAIL = text("""
SELECT place, cluster_id, worker_id, array_agg(name_id) AS names, array_agg(type) AS types, array_agg(count) AS counts
FROM (
  SELECT s.place, r.cluster_id, r.worker_id, r.name_id, r.type, r.count
  FROM unnest(CAST(:clusters AS smallint[]), CAST(:ids AS int[])) WITH ORDINALITY AS s (cluster_id, id, place),
  LATERAL (
    SELECT * FROM rollup_total r WHERE r.cluster_id = s.cluster_id AND r.worker_id = s.id
    ORDER BY r.name_id, r.type LIMIT :most
  ) AS r LIMIT :most
) AS found GROUP BY place, cluster_id, worker_id ORDER BY place
""")

# A row of the store's own for names past its bound is one of the others, or there would be two series of that name.
_PLACE = f"""
CASE WHEN name = '{OVERFLOW}' THEN {2**31} ELSE row_number() OVER (PARTITION BY cluster_id ORDER BY id) END AS place
"""

_PLACED = f"""
WITH placed AS (SELECT id, {_PLACE} FROM task_name WHERE cluster_id = ANY(CAST(:clusters AS smallint[])))
"""

_WHOLE = text(f"""
{_PLACED}
SELECT cluster_id, CASE WHEN type = '{event_types.NAMES[event_types.SENT]}' THEN {_CLIENTS} ELSE {_OTHERS} END
    AS worker_id, array_agg(name_id) AS names, array_agg(type) AS types, array_agg(count) AS counts
FROM (
  SELECT r.cluster_id, CASE WHEN coalesce(p.place, 0) <= :apart THEN r.id ELSE :others END AS name_id, r.type,
    CAST(sum(r.count) AS bigint) AS count
  FROM rollup_total_by r LEFT JOIN placed p ON p.id = r.id
  WHERE r.cluster_id = ANY(CAST(:clusters AS smallint[])) AND r.by = :by GROUP BY 1, 2, 3
) AS summed GROUP BY 1, 2 ORDER BY 1, 2
""")

_RUNTIMES = text("""
SELECT cluster_id, worker_id, name_id, array_agg(slot) AS slots, array_agg(count) AS counts, sum(sum) AS seconds
FROM histogram_total
WHERE cluster_id = ANY(CAST(:clusters AS smallint[])) AND worker_id = ANY(CAST(:ids AS int[])) AND measure = :measure
GROUP BY cluster_id, worker_id, name_id ORDER BY cluster_id, worker_id, name_id
""")

_WHOLE_RUNTIMES = text(f"""
{_PLACED}
SELECT cluster_id, {_OTHERS} AS worker_id, name_id, array_agg(slot) AS slots, array_agg(count) AS counts,
  sum(seconds) AS seconds
FROM (
  SELECT r.cluster_id, CASE WHEN coalesce(p.place, 0) <= :apart THEN r.id ELSE :others END AS name_id, r.slot,
    CAST(sum(r.count) AS bigint) AS count, sum(r.sum) AS seconds
  FROM histogram_total_by r LEFT JOIN placed p ON p.id = r.id
  WHERE r.cluster_id = ANY(CAST(:clusters AS smallint[])) AND r.by = :by AND r.measure = :measure GROUP BY 1, 2, 3
) AS summed GROUP BY 1, 3 ORDER BY 1, 3
""")

_QUEUES = text(f"""
WITH name AS (SELECT id, {_PLACE} FROM task_name),
known AS (SELECT id, name, row_number() OVER (PARTITION BY cluster_id ORDER BY id) AS place FROM queue)
SELECT cluster_id, queue, name_id, measure, array_agg(slot) AS slots, array_agg(count) AS counts,
  sum(seconds) AS seconds
FROM (
  SELECT r.cluster_id,
    CASE WHEN coalesce(q.place, 0) <= :queues THEN coalesce(q.name, '') ELSE '{OVERFLOW}' END AS queue,
    CASE WHEN coalesce(n.place, 0) <= :names THEN r.name_id ELSE :others END AS name_id, r.measure, r.slot,
    CAST(sum(r.count) AS bigint) AS count, sum(r.sum) AS seconds
  FROM histogram_total_queue r LEFT JOIN name n ON n.id = r.name_id LEFT JOIN known q ON q.id = r.queue_id
  GROUP BY 1, 2, 3, 4, 5
) AS summed GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
""")

# What a process held that has ended since is nobody's, and what is marked has ended unseen, or with its worker.
_UNFINISHED = text("""
WITH alive AS MATERIALIZED (
  SELECT id, CASE WHEN cluster_id = ANY(CAST(:crowded AS smallint[])) THEN CAST(:others AS int) ELSE id END AS shown,
    (SELECT max(e.at) FROM worker_event e WHERE e.worker_id = w.id AND e.type = 'worker-online') AS came_at
  FROM worker w WHERE alive_until > now()
)
SELECT t.cluster_id, w.shown AS worker_id, coalesce(t.name_id, 0) AS name_id,
  count(*) FILTER (WHERE t.state = :received) AS prefetched,
  max(t.started_at) FILTER (WHERE t.state = :started) AS started_at,
  (array_agg(greatest(0, extract(epoch FROM t.started_at - t.received_at)) ORDER BY t.started_at DESC)
    FILTER (WHERE t.state = :started))[1] AS waited
FROM unnest(CAST(:clusters AS smallint[])) AS c (id), unnest(CAST(:states AS text[])) AS s (state), LATERAL (
  SELECT t.cluster_id, t.key, t.state, t.last_at, t.worker_id, t.name_id, t.received_at, t.started_at
  FROM task t WHERE t.cluster_id = c.id AND t.state = s.state AND t.state <> 'SUCCESS' AND t.eta IS NULL
  ORDER BY t.seen_at DESC LIMIT :most
) AS t JOIN alive w ON w.id = t.worker_id
WHERE t.received_at IS NOT NULL
  AND (w.came_at IS NULL OR CASE t.state WHEN :started THEN t.started_at ELSE t.received_at END >= w.came_at)
  AND NOT EXISTS (
    SELECT FROM task_mark m WHERE m.cluster_id = t.cluster_id AND m.key = t.key AND m.state = t.state
      AND m.last_at = t.last_at AND m.kind = ANY(CAST(:gone AS text[]))
  )
GROUP BY 1, 2, 3
""")
