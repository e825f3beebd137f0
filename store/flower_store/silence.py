"""Workers that answer to control, of which no event arrives."""

from datetime import timedelta

from flower_store import writes

MOST = 1_000
"""Workers that are looked for; one is enough to say that something is wrong."""


def answering(writer: writes.Writer, *, answered: timedelta, silent: timedelta) -> list[str]:
    """Host names of those that answered within `answered`, and no event of which came within `silent`, by name.

    By the times at which heartbeats came, not their own: a worker's clock may be wrong. Where a worker says that it
    sends them more rarely, three may be missing. One without heartbeats, or since it has none, counts as heard for an
    hour after a task.
    """
    with writer.session() as connection:
        parameters = {"cluster": writer.cluster_id, "answered": answered, "silent": silent, "most": MOST}
        return [row[0] for row in connection.execute(_ANSWERING, parameters)]


_ANSWERING = """
SELECT w.hostname FROM worker w,
  LATERAL (SELECT now() - greatest(%(silent)s, make_interval(secs => 3 * least(coalesce(w.freq, 0), 3600))) AS after) s
WHERE w.cluster_id = %(cluster)s
  AND EXISTS (SELECT FROM worker_reply r WHERE r.worker_id = w.id AND r.replied_at > now() - %(answered)s)
  AND NOT EXISTS (SELECT FROM process_beat b WHERE b.worker_id = w.id AND b.received_at > s.after)
  AND NOT EXISTS (SELECT FROM process p WHERE p.worker_id = w.id AND p.received_at > s.after)
  AND NOT EXISTS (
    SELECT FROM task t
    WHERE t.cluster_id = w.cluster_id AND t.worker_id = w.id AND t.seen_at > now() - interval '1 hour'
      AND t.seen_at > %(silent)s + greatest(
        (SELECT max(b.received_at) FROM process_beat b WHERE b.worker_id = w.id),
        (SELECT max(p.received_at) FROM process p WHERE p.worker_id = w.id),
        '-infinity'
      )
  )
ORDER BY w.hostname
LIMIT %(most)s
"""
