"""How full queues are: which ones are worth a question, and what the broker said, as the collector writes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flower_store import ids, notices, writes
from flower_store.dimensions import OVERFLOW

NEWEST = 10_000
"""Tasks, the last ones seen, whose queues are looked at: a question by time would read an hour of them."""

MOST = 10_000
"""Queues that are asked for at once."""

_LONGEST = 255
"""Bytes of a queue's name in AMQP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSample:
    """A queue at one moment; None where the broker does not tell.

    `ready` wait, `unacked` were given to a consumer and not acknowledged, `messages` are both. `oldest_task` is the id
    of the task that has waited longest; when it was sent is `oldest_at`, unless the broker knows that itself.
    """

    name: str
    messages: int | None = None
    ready: int | None = None
    unacked: int | None = None
    consumers: int | None = None
    oldest_at: datetime | None = None
    oldest_task: str | None = None


def worth_asking(writer: writes.Writer) -> list[str]:
    """Queues that workers consume or did a day ago, that tasks were sent to of late, and that were not empty."""
    with writer.session() as connection:
        parameters = {"cluster": writer.cluster_id, "newest": NEWEST, "overflow": OVERFLOW, "most": MOST}
        return [row[0] for row in connection.execute(_WORTH_ASKING, parameters)]


def write(writer: writes.Writer, samples: Sequence[QueueSample]) -> int:
    """Store them as of now, by the database's clock; returns how many queues have a row of their own.

    A queue past the bound of names is left out, and so is one whose name the database cannot hold.
    """
    with writer.session() as connection:
        found = writer.queue_ids(connection, [sample.name for sample in samples if _storable(sample.name)])
        rows = {found[sample.name]: sample for sample in samples if sample.name in found}
        parameters = {
            "cluster": writer.cluster_id,
            "queues": list(rows),
            **{name: [getattr(one, name) for one in rows.values()] for name in _TOLD},
            "tasks": [ids.task_key(one.oldest_task) if one.oldest_task else None for one in rows.values()],
        }
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(_WRITE, parameters)
            notices.send(cursor, writer.cluster_id)
    return len(rows)


_TOLD = ("messages", "ready", "unacked", "consumers", "oldest_at")


def _storable(name: str) -> bool:
    return "\0" not in name and 0 < len(name.encode(errors="ignore")) <= _LONGEST and name.isprintable()


_WORTH_ASKING = """
SELECT name FROM (
  SELECT entry->>'name' AS name
  FROM worker w JOIN worker_reply r ON r.worker_id = w.id, LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(r.reply) = 'array' THEN r.reply ELSE '[]' END) AS entry
  WHERE w.cluster_id = %(cluster)s AND r.method = 'active_queues' AND r.replied_at > now() - interval '1 day'
  UNION
  SELECT q.name FROM queue q WHERE q.cluster_id = %(cluster)s AND q.id IN (
    SELECT queue_id FROM (
      SELECT queue_id FROM task WHERE cluster_id = %(cluster)s ORDER BY seen_at DESC LIMIT %(newest)s) AS newest)
  UNION
  SELECT q.name FROM queue q, LATERAL (
    SELECT s.messages, s.ready FROM queue_sample s WHERE s.queue_id = q.id AND s.at > now() - interval '1 hour'
    ORDER BY s.at DESC LIMIT 1) AS last
  WHERE q.cluster_id = %(cluster)s AND (last.messages > 0 OR last.ready > 0)
) AS known
WHERE name <> %(overflow)s AND name <> ''
ORDER BY name LIMIT %(most)s
"""

_WRITE = """
INSERT INTO queue_sample (queue_id, at, messages, ready, unacked, consumers, oldest_at)
SELECT s.queue_id, now(), s.messages, s.ready, s.unacked, s.consumers, coalesce(s.oldest_at, t.sent_at, t.seen_at)
FROM unnest(
  %(queues)s::int[], %(messages)s::bigint[], %(ready)s::bigint[], %(unacked)s::bigint[], %(consumers)s::int[],
  %(oldest_at)s::timestamptz[], %(tasks)s::uuid[]
) AS s (queue_id, messages, ready, unacked, consumers, oldest_at, task_key)
LEFT JOIN task t ON t.cluster_id = %(cluster)s AND t.key = s.task_key
ORDER BY s.queue_id
ON CONFLICT DO NOTHING
"""
