"""What else `/metrics` tells: figures that change slowly, each by one statement whose answer is bounded.

A statement gives the cluster's id, what within the cluster, in columns of text, and last the value. Where nothing was
counted there is no row.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import marks, outbox
from flower_store.dimensions import OVERFLOW
from flower_store.metric_records import Figure, Figures
from flower_store.outbox import ALIVE_FOR
from flower_store.reads.queues import RECENT

EXCEPTIONS: Final = 200
"""Exceptions of a cluster that are told apart, the first ones ever seen."""

QUEUES: Final = 1_000
"""Queues of a cluster that are told, the first ones ever seen that were sampled of late."""

MARKS: Final = 5_000
"""Marks that are looked at."""

CLUSTERS: Final = "clusters"
FAILURES: Final = "failures"
MARKED: Final = "marked"
GAPS: Final = "gaps"
LOST_EVENTS: Final = "lost_events"
LAST_GAP: Final = "last_gap"
SET_ASIDE: Final = "set_aside"
COMMANDS: Final = "commands"
WAITING_COMMANDS: Final = "waiting_commands"
WORKERS: Final = "workers"
POOLS: Final = "pools"
COLLECTORS: Final = "collectors"
LAG: Final = "lag"
MESSAGES: Final = "messages"
READY: Final = "ready"
UNACKED: Final = "unacked"
CONSUMERS: Final = "consumers"
OLDEST: Final = "oldest"

_SAMPLED = (MESSAGES, READY, UNACKED, CONSUMERS, OLDEST)


async def figures(connection: AsyncConnection, *, workers: int) -> Figures:
    """All of them, by the names above. `workers` bounds those whose pool is told."""
    rows = await connection.execute(text("SELECT id, slug FROM cluster ORDER BY slug"))
    clusters = {row[0]: row[1] for row in rows}
    given: Mapping[str, Any] = {
        "overflow": OVERFLOW, "exceptions": EXCEPTIONS, "marks": MARKS, "alive_for": ALIVE_FOR, "workers": workers,
        "lookup": outbox.LOOKUP, "expired": outbox.EXPIRED,
    }  # fmt: skip
    found: dict[str, list[Figure]] = {CLUSTERS: [Figure(slug, (), 1) for slug in clusters.values()]}
    for name, statement in _STATEMENTS.items():
        wanted = {key: value for key, value in given.items() if f":{key}" in statement.text}
        answers = await connection.execute(statement, wanted)
        found[name] = [Figure(clusters[row[0]], tuple(row[1:-1]), float(row[-1])) for row in answers]
    return found | await _queues(connection, clusters)


async def _queues(connection: AsyncConnection, clusters: Mapping[int, str]) -> dict[str, list[Figure]]:
    """The last sample of each queue; what the broker did not tell is left out."""
    rows = (
        (await connection.execute(_NEWEST, {"queues": QUEUES, "recent": RECENT, "overflow": OVERFLOW})).mappings().all()
    )
    return {
        name: [
            Figure(clusters[row["cluster_id"]], (row["name"],), float(row[name]))
            for row in rows
            if row[name] is not None
        ]
        for name in _SAMPLED
    }


_NEWEST = text("""
SELECT q.cluster_id, q.name, s.messages, s.ready, s.unacked, s.consumers,
  CASE WHEN s.oldest_at IS NOT NULL THEN greatest(0, extract(epoch FROM now() - s.oldest_at)) END AS oldest
FROM (
  SELECT cluster_id, id, name, row_number() OVER (PARTITION BY cluster_id ORDER BY id) AS place
  FROM queue WHERE name <> :overflow
) AS q, LATERAL (
  SELECT * FROM queue_sample s WHERE s.queue_id = q.id AND s.at > now() - CAST(:recent AS interval)
  ORDER BY s.at DESC LIMIT 1
) AS s WHERE q.place <= :queues ORDER BY 1, 2
""")

_STATEMENTS: Mapping[str, TextClause] = {
    # By the first group of each, whether or not it counted yet: the order never changes, so nothing moves to the rest.
    FAILURES: text("""
SELECT cluster_id, CASE WHEN place <= :exceptions THEN exception ELSE :overflow END, sum(count) FROM (
  SELECT cluster_id, exception, sum(count) AS count,
    row_number() OVER (PARTITION BY cluster_id ORDER BY min(id)) AS place
  FROM error_group GROUP BY 1, 2
) AS found GROUP BY 1, 2 HAVING sum(count) > 0 ORDER BY 1, 2
"""),
    MARKED: text(f"""
SELECT m.cluster_id, m.kind, count(*) FROM (SELECT * FROM task_mark LIMIT :marks) AS m
JOIN task t ON t.cluster_id = m.cluster_id AND t.key = m.key AND t.state = m.state AND t.last_at = m.last_at
WHERE m.kind IN ({", ".join(f"'{kind}'" for kind in marks.KINDS)}) GROUP BY 1, 2 ORDER BY 1, 2
"""),
    GAPS: text("SELECT cluster_id, reason, count(*) FROM gap GROUP BY 1, 2 ORDER BY 1, 2"),
    LOST_EVENTS: text(
        "SELECT cluster_id, reason, sum(count) FROM gap WHERE count IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
    ),
    LAST_GAP: text("SELECT cluster_id, reason, extract(epoch FROM max(ended_at)) FROM gap GROUP BY 1, 2 ORDER BY 1, 2"),
    SET_ASIDE: text("SELECT cluster_id, reason, count(*) FROM set_aside GROUP BY 1, 2 ORDER BY 1, 2"),
    # Look-ups of results go soon, and a counter must not fall.
    COMMANDS: text("""
SELECT cluster_id, kind, CASE WHEN ended_at IS NULL THEN :expired ELSE outcome END AS outcome, count(*) FROM command
WHERE cluster_id IS NOT NULL AND kind <> :lookup
  AND (ended_at IS NOT NULL OR claimed_at IS NULL AND expires_at <= now())
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""),
    WAITING_COMMANDS: text("""
SELECT cluster_id, count(*) FROM command
WHERE cluster_id IS NOT NULL AND claimed_at IS NULL AND ended_at IS NULL AND expires_at > now() GROUP BY 1 ORDER BY 1
"""),
    WORKERS: text("""
SELECT cluster_id, CASE WHEN alive_until > now() THEN 'online' ELSE 'offline' END AS status, count(*) FROM worker
WHERE alive_until IS NOT NULL OR offline_at IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
"""),
    POOLS: text("""
SELECT cluster_id, hostname, size FROM (
  SELECT w.cluster_id, w.hostname, w.alive_until, CASE WHEN jsonb_typeof(r.reply #> '{pool,max-concurrency}') = 'number'
    THEN CAST(r.reply #>> '{pool,max-concurrency}' AS numeric) END AS size
  FROM worker w JOIN worker_reply r ON r.worker_id = w.id AND r.method = 'stats' WHERE w.alive_until > now()
  ORDER BY w.alive_until DESC, w.id LIMIT :workers
) AS told WHERE size IS NOT NULL ORDER BY 1, 2
"""),
    COLLECTORS: text("""
SELECT cluster_id, count(*) FILTER (WHERE stopped_at IS NULL AND beat_at > now() - CAST(:alive_for AS interval))
FROM collector GROUP BY 1 ORDER BY 1
"""),
    LAG: text("""
SELECT cluster_id, max(lag) FROM collector
WHERE stopped_at IS NULL AND beat_at > now() - CAST(:alive_for AS interval) AND lag IS NOT NULL GROUP BY 1 ORDER BY 1
"""),
}
