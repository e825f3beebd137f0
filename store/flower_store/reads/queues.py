"""Queues, how full they were the last time and over time, and who consumes them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import cursors, tables
from flower_store.dimensions import OVERFLOW
from flower_store.queue_records import QueuePoint, QueueRecord
from flower_store.reads.names import alike
from flower_store.records import Page

_Q = tables.queue.c

REACH = timedelta(days=1)
"""A queue that was not sampled for longer has no last sample."""

RECENT = timedelta(minutes=15)
"""A sample that is older is of a queue that is gone, or nobody samples."""


async def page(
    connection: AsyncConnection, cluster_id: int, *, matching: str | None, after: str | None, limit: int
) -> Page[QueueRecord]:
    """Every queue ever heard of, in the order of their names' letters' codes."""
    ordered = _Q.name.collate("C")
    statement = (
        select(_Q.id, _Q.name)
        .where(_Q.cluster_id == cluster_id, _Q.name != OVERFLOW)
        .order_by(ordered)
        .limit(limit + 1)
    )
    if matching is not None:
        statement = statement.where(alike(_Q.name, matching))
    if after is not None:
        statement = statement.where(ordered > after)
    rows = (await connection.execute(statement)).all()
    kept = {row[0]: row[1] for row in rows[:limit]}
    items = await _records(connection, cluster_id, kept)
    return Page(items, cursors.text_token(items[-1].name) if len(rows) > limit else None)


async def one(connection: AsyncConnection, cluster_id: int, name: str) -> QueueRecord | None:
    """One queue."""
    statement = select(_Q.id).where(_Q.cluster_id == cluster_id, _Q.name == name, _Q.name != OVERFLOW)
    queue_id = (await connection.execute(statement)).scalar()
    return None if queue_id is None else (await _records(connection, cluster_id, {queue_id: name}))[0]


async def active(connection: AsyncConnection, cluster_id: int) -> list[QueueRecord]:
    """Those with a recent sample that any worker ever said it consumes; where none ever said, all with one."""
    rows = await connection.execute(_ACTIVE, {"cluster": cluster_id, "recent": RECENT, "overflow": OVERFLOW})
    return await _records(connection, cluster_id, {row[0]: row[1] for row in rows})


async def history(
    connection: AsyncConnection, queue_id: int, since: datetime, until: datetime, *, step: timedelta
) -> list[QueuePoint]:
    """What was sampled, in steps from `since`; those without a sample are left out."""
    parameters = {"queue": queue_id, "since": since, "until": until, "step": step}
    return [QueuePoint(**row) for row in (await connection.execute(_HISTORY, parameters)).mappings()]


async def _records(connection: AsyncConnection, cluster_id: int, names: Mapping[int, str]) -> list[QueueRecord]:
    """In the order of `names`."""
    parameters = {"queues": list(names), "reach": REACH, "recent": RECENT}
    samples = {row["id"]: row for row in (await connection.execute(_NEWEST, parameters)).mappings()}
    workers = await _workers(connection, cluster_id, names.values())
    return [QueueRecord(**samples[key], name=name, workers=workers.get(name, ())) for key, name in names.items()]


async def _workers(connection: AsyncConnection, cluster_id: int, names: Collection[str]) -> Mapping[str, Sequence[str]]:
    rows = await connection.execute(_CONSUMED, {"cluster": cluster_id, "names": list(names)})
    return {row[0]: row[1] for row in rows}


_NEWEST = text("""
SELECT q.id, s.at, s.messages, s.ready, s.unacked, s.consumers, s.oldest_at,
  coalesce(s.at > now() - CAST(:recent AS interval), false) AS recent
FROM unnest(CAST(:queues AS int[])) AS q (id) LEFT JOIN LATERAL (
  SELECT * FROM queue_sample s WHERE s.queue_id = q.id AND s.at > now() - CAST(:reach AS interval)
  ORDER BY s.at DESC LIMIT 1
) AS s ON true
""")

_TOLD = """
SELECT w.hostname, w.alive_until, entry->>'name' AS name
FROM worker w JOIN worker_reply r ON r.worker_id = w.id, LATERAL jsonb_array_elements(
  CASE WHEN jsonb_typeof(r.reply) = 'array' THEN r.reply ELSE '[]' END) AS entry
WHERE w.cluster_id = :cluster AND r.method = 'active_queues'
"""

_CONSUMED = text(f"""
SELECT name, array_agg(DISTINCT hostname ORDER BY hostname) FROM ({_TOLD}) AS told
WHERE alive_until > now() AND name = ANY(CAST(:names AS text[])) GROUP BY name
""")

_ACTIVE = text(f"""
WITH told AS MATERIALIZED (SELECT DISTINCT name FROM ({_TOLD}) AS one WHERE name IS NOT NULL)
SELECT q.id, q.name FROM queue q
WHERE q.cluster_id = :cluster AND q.name <> :overflow
  AND (q.name IN (SELECT name FROM told) OR NOT EXISTS (SELECT FROM told))
  AND EXISTS (SELECT FROM queue_sample s WHERE s.queue_id = q.id AND s.at > now() - CAST(:recent AS interval))
ORDER BY q.name COLLATE "C"
""")

_HISTORY = text("""
SELECT date_bin(CAST(:step AS interval), at, CAST(:since AS timestamptz)) AS at,
  (array_agg(messages ORDER BY at DESC))[1] AS messages,
  (array_agg(ready ORDER BY at DESC))[1] AS ready,
  (array_agg(unacked ORDER BY at DESC))[1] AS unacked,
  (array_agg(consumers ORDER BY at DESC))[1] AS consumers,
  max(coalesce(ready, messages)) AS most_waiting,
  min(consumers) AS fewest_consumers,
  max(at - oldest_at) AS longest_wait
FROM queue_sample
WHERE queue_id = :queue AND at >= CAST(:since AS timestamptz) AND at < CAST(:until AS timestamptz)
GROUP BY 1 ORDER BY 1
""")
