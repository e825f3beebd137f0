"""A store for scrapes: totals of so many workers that all have run so many tasks, and what they hold just now."""

import psycopg

from bench.stage import ours
from flower_store import histograms

STATEMENTS = (
    "INSERT INTO cluster (slug, transport, broker) VALUES (%(slug)s, 'amqp', 'amqp://bench')",
    "INSERT INTO task_name (cluster_id, name) SELECT 1, 'shop.tasks.task_' || n "
    "FROM generate_series(1, %(names)s) AS n",
    "INSERT INTO worker (cluster_id, hostname, pid, heartbeat_at, heartbeat_clock, seen_at, alive_until, active) "
    "SELECT 1, 'celery@worker-' || n || '.example.com', 1, now(), 1, now(), now() + interval '1 day', 2 "
    "FROM generate_series(1, %(workers)s) AS n",
    "INSERT INTO worker_event (worker_id, type, at, pid) SELECT id, 'worker-online', now() - interval '1 h', 1 "
    "FROM worker",
    "INSERT INTO rollup_total SELECT 1, 0, n, 'task-sent', n FROM generate_series(1, %(names)s) AS n",
    "INSERT INTO rollup_total SELECT 1, w, n, t, w + n FROM generate_series(1, %(workers)s) AS w, "
    "generate_series(1, %(names)s) AS n, unnest(%(types)s::text[]) AS t",
    "INSERT INTO rollup_total_by SELECT 1, 1, name_id, type, sum(count) FROM rollup_total GROUP BY 3, 4",
    "INSERT INTO histogram_total SELECT 1, w, n, 1, s, w + n, 0.5 * (w + n) FROM generate_series(1, %(workers)s) AS w, "
    "generate_series(1, %(names)s) AS n, generate_series(%(slot)s, %(slot)s + 4) AS s",
    "INSERT INTO histogram_total_by SELECT 1, 1, name_id, 1, slot, sum(count), sum(sum) FROM histogram_total "
    "GROUP BY name_id, slot",
    "INSERT INTO queue (cluster_id, name) SELECT 1, 'queue-' || n FROM generate_series(1, 5) AS n",
    "INSERT INTO histogram_total_queue SELECT 1, 1 + mod(n, 5), n, m, s, n, n FROM generate_series(1, %(names)s) AS n, "
    "generate_series(1, 2) AS m, generate_series(%(slot)s, %(slot)s + 4) AS s",
    "INSERT INTO worker_reply (worker_id, method, reply, replied_at) SELECT id, 'stats', "
    "jsonb_build_object('pool', jsonb_build_object('max-concurrency', 8), 'total', repeat('x', 2000)), now() "
    "FROM worker",
    # Two tasks run on each worker, and it holds eight more.
    "INSERT INTO task (cluster_id, key, seen_at, last_at, name_id, sent_at, received_at, "
    "received_worker_id, started_at, started_worker_id) SELECT 1, gen_random_uuid(), now(), now(), "
    "1 + mod(w * 7 + n, %(names)s), now(), now(), w, CASE WHEN n > 8 THEN now() END, CASE WHEN n > 8 THEN w END "
    "FROM generate_series(1, %(workers)s) AS w, generate_series(1, 10) AS n",
    "VACUUM (ANALYZE)",
)
TYPES = ["task-received", "task-started", "task-succeeded", "task-failed"]


def fill(database: str, *, workers: int, names: int) -> None:
    """Fill a migrated, empty database."""
    shape = {"slug": ours.CLUSTER, "workers": workers, "names": names, "types": TYPES, "slot": histograms.slot(0.1)}
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in STATEMENTS:
            connection.execute(statement.encode(), shape)
