"""The statements of `filled.py`: names, tasks, their log, and what the collector would have counted of it."""

DIMENSIONS = (
    "INSERT INTO cluster (slug, transport, broker) VALUES (%(slug)s, 'amqp', 'amqp://bench')",
    "INSERT INTO task_name (cluster_id, name) SELECT 1, u FROM unnest(%(names)s::text[]) AS u",
    "INSERT INTO queue (cluster_id, name) SELECT 1, u FROM unnest(%(queues)s::text[]) AS u",
    "INSERT INTO worker (cluster_id, hostname, pid, heartbeat_at, heartbeat_clock, seen_at, alive_until, active, "
    "processed) SELECT 1, u, 1, now(), 1, now(), now() + interval '1 day', 2, 1000 "
    "FROM unnest(%(workers)s::text[]) AS u",
)

INDEXES = """
SELECT indexdef FROM pg_indexes WHERE tablename = 'task' AND indexname <> 'pk_task'
"""
DROP = """
DO $$ DECLARE one text; BEGIN
  FOR one IN SELECT indexname FROM pg_indexes WHERE tablename = 'task' AND indexname <> 'pk_task' LOOP
    EXECUTE format('DROP INDEX %I', one);
  END LOOP;
  ALTER TABLE task DROP CONSTRAINT pk_task;
END $$
"""
KEY = "ALTER TABLE task ADD CONSTRAINT pk_task PRIMARY KEY (cluster_id, key)"

# Names are spread as 1/rank, nearly. Of a thousand tasks 100 have a parent, 20 are retried, 30 fail, 5 are revoked, one
# has an ETA, and half a one was never heard of again; the last ones still run.
TASKS = """
INSERT INTO task (
  cluster_id, key, seen_at, last_at, name_id, args, kwargs, due_at, eta, root_key, root_text, parent_key,
  sent_at, sent_clock, sent_digest, sent_retries, queue_id, exchange, routing_key, client,
  received_at, received_clock, received_digest, received_retries, received_worker_id,
  started_at, started_clock, started_digest, started_worker_id, started_pid,
  yielded_at, yielded_clock, yielded_digest, yielded_worker_id, yielded_pid, yielded_type, yielded_exception,
  yielded_traceback,
  succeeded_at, succeeded_clock, succeeded_digest, succeeded_worker_id, result, runtime,
  failed_at, failed_clock, failed_digest, failed_worker_id, exception, traceback,
  revoked_at, revoked_clock, revoked_digest, revoked_worker_id, terminated, expired)
SELECT
  1, key, sent, ended, name, args, kwargs, due, due::text,
  parent, CASE WHEN parent IS NULL THEN '' END, parent,
  sent, clock, n::int, retries, queue, '', (%(queues)s::text[])[queue], 'gen1@bench',
  CASE WHEN heard > 0 THEN received END, CASE WHEN heard > 0 THEN clock + 1 END, CASE WHEN heard > 0 THEN n::int END,
  CASE WHEN heard > 0 THEN retries END, CASE WHEN heard > 0 THEN worker END,
  CASE WHEN heard > 1 THEN started END, CASE WHEN heard > 1 THEN clock + 2 END, CASE WHEN heard > 1 THEN n::int END,
  CASE WHEN heard > 1 THEN worker END, CASE WHEN heard > 1 THEN 100 + worker END,
  CASE WHEN retries > 0 THEN sent + interval '90 ms' END, CASE WHEN retries > 0 THEN clock END,
  CASE WHEN retries > 0 THEN n::int END, CASE WHEN retries > 0 THEN worker END,
  CASE WHEN retries > 0 THEN 100 + worker END, CASE WHEN retries > 0 THEN 'task-retried' END,
  CASE WHEN retries > 0 THEN format('TimeoutError(''order %%s'')', n) END, CASE WHEN retries > 0 THEN traceback END,
  CASE fate WHEN 4 THEN ended END, CASE fate WHEN 4 THEN clock + 3 END, CASE fate WHEN 4 THEN n::int END,
  CASE fate WHEN 4 THEN worker END,
  CASE fate WHEN 4 THEN CASE WHEN n & 1 = 0 THEN 'None' ELSE format('{''id'': %%s, ''status'': ''done''}', n) END END,
  CASE fate WHEN 4 THEN run END,
  CASE fate WHEN 5 THEN ended END, CASE fate WHEN 5 THEN clock + 3 END, CASE fate WHEN 5 THEN n::int END,
  CASE fate WHEN 5 THEN worker END,
  CASE fate WHEN 5 THEN exception END,
  CASE fate WHEN 5 THEN traceback END,
  CASE fate WHEN 7 THEN ended END, CASE fate WHEN 7 THEN clock + 3 END, CASE fate WHEN 7 THEN n::int END,
  CASE fate WHEN 7 THEN worker END, CASE fate WHEN 7 THEN false END, CASE fate WHEN 7 THEN false END
FROM (
  SELECT *,
    CASE WHEN n > %(tasks)s - 60 THEN 0 WHEN chance < 0.03 THEN 5 WHEN chance < 0.035 THEN 7
      WHEN chance < 0.0355 THEN 0 ELSE 4 END AS fate,
    CASE WHEN n > %(tasks)s - 60 THEN mod(n, 3) WHEN due > %(now)s THEN 1 ELSE 2 END AS heard,
    sent + waited AS received, sent + waited * 2 AS started, sent + waited * 2 + run * interval '1 s' AS ended,
    CASE WHEN chance < 0.055 AND chance >= 0.0355 THEN 1 ELSE 0 END AS retries,
    format('(%%s, [''customer'', ''warehouse''])', n) AS args,
    format('{''locale'': ''de_DE'', ''user'': %%s}', mod(n * 7919, 100000)) AS kwargs,
    format('%%s(''order %%s is gone'')', (ARRAY['ValueError', 'KeyError', 'OSError'])[1 + mod(n, 3)], n) AS exception,
    repeat(E'  File "/srv/app/shop/tasks.py", line 112, in send\n    return client.request(payload)\n', 6) AS traceback
  FROM (
    SELECT n, md5('bench-' || n)::uuid AS key, n * 4 AS clock,
      %(now)s::timestamptz - (%(tasks)s - n) * %(micros)s * interval '1 us' AS sent,
      (0.001 - ln(1 - random()) * 0.02) * interval '1 s' AS waited,
      round((0.0005 - ln(1 - random()) * 0.2)::numeric, 6)::float AS run,
      floor(power(%(name_count)s + 1, random()))::int AS name,
      1 + floor(random() * %(worker_count)s)::int AS worker, 1 + mod(n, 3)::int AS queue, random() AS chance,
      CASE WHEN mod(n, 1000) = 7
        THEN %(now)s::timestamptz - (%(tasks)s - n) * %(micros)s * interval '1 us' + interval '1 hour' END AS due,
      CASE WHEN mod(n, 10) = 3 THEN md5('bench-' || (n - 2))::uuid END AS parent
    FROM generate_series(1, %(tasks)s::bigint) AS n OFFSET 0
  ) AS drawn OFFSET 0
) AS told
"""

MARKS = """
INSERT INTO task_mark (cluster_id, key, kind, reason, since, state, last_at)
SELECT cluster_id, key, 'lost', 'worker_gone', started_at, state, last_at FROM task
WHERE state = 'STARTED' AND seen_at < (SELECT max(seen_at) FROM task) - interval '1 hour'
"""

_EVENTS = """
task AS t, LATERAL (VALUES
  (t.sent_at, t.sent_clock, 0, 0, 1, json_build_array(t.routing_key, t.args, t.kwargs)::text, 'task-sent'),
  (t.received_at, t.received_clock, t.received_worker_id, 100 + t.received_worker_id, 2,
    CASE WHEN date_trunc('day', t.received_at, 'UTC') = date_trunc('day', t.sent_at, 'UTC')
      THEN (extract(epoch FROM t.received_at - t.sent_at) * 1000000)::bigint::text
      ELSE json_build_array(t.args, t.kwargs)::text END, 'task-received'),
  (t.yielded_at, t.yielded_clock, t.yielded_worker_id, t.yielded_pid, 8,
    json_build_array(t.yielded_exception, t.yielded_traceback)::text, 'task-retried'),
  (t.started_at, t.started_clock, t.started_worker_id, t.started_pid, 3, '', 'task-started'),
  (t.succeeded_at, t.succeeded_clock, t.succeeded_worker_id, 100 + t.worker_id, 4,
    json_build_array(t.runtime, t.result)::text, 'task-succeeded'),
  (t.failed_at, t.failed_clock, t.failed_worker_id, 100 + t.worker_id, 5,
    json_build_array(t.exception, t.traceback)::text, 'task-failed'),
  (t.revoked_at, t.revoked_clock, t.revoked_worker_id, 100 + t.worker_id, 7, '[false,null,false]', 'task-revoked')
) AS e(at, clock, worker_id, pid, type, fields, kind)
WHERE e.at IS NOT NULL
"""
"""Four a task; those of retried tasks lack their first attempt's start."""

LOG = f"""
INSERT INTO task_event (at, clock, task_id, digest, worker_id, pid, lag, name_id, type, fields)
SELECT e.at, e.clock, t.id, t.sent_digest, e.worker_id, e.pid, 0.1, t.name_id, e.type, e.fields FROM {_EVENTS}
"""

ROLLUP = f"""
INSERT INTO {{table}} (cluster_id, bucket, name_id, worker_id, type, count, runtime_count, runtime_sum)
SELECT 1, date_trunc(%(unit)s, e.at), t.name_id, e.worker_id, e.kind, count(*),
  count(*) FILTER (WHERE e.type = 4), coalesce(sum(t.runtime::numeric(20, 6)) FILTER (WHERE e.type = 4), 0)
FROM {_EVENTS} AND e.at >= %(since)s GROUP BY 2, 3, 4, 5 ORDER BY 2, 3, 4, 5
"""

BY = """
INSERT INTO {table}_by (cluster_id, bucket, by, id, {kept}, {summed})
SELECT cluster_id, bucket, of.by, of.id, {kept}, {sums}
FROM {table}, LATERAL (VALUES (1, name_id), (2, worker_id)) AS of(by, id)
GROUP BY 1, 2, 3, 4, {kept} ORDER BY 1, 2, 3, 4
"""

HISTOGRAM = """
INSERT INTO {table} (cluster_id, bucket, name_id, worker_id, measure, slot, count, sum)
SELECT 1, date_trunc(%(unit)s, e.at), t.name_id, e.worker_id, e.measure, width_bucket(e.seconds, %(bounds)s::float[]),
  count(*), sum(e.seconds::numeric(20, 6))
FROM task AS t, LATERAL (VALUES
  (1, t.succeeded_at, t.succeeded_worker_id, t.runtime),
  (2, t.started_at, t.started_worker_id, extract(epoch FROM t.started_at - t.sent_at)::float)
) AS e(measure, at, worker_id, seconds)
WHERE e.at >= %(since)s AND (e.measure = 1 OR t.due_at IS NULL) GROUP BY 2, 3, 4, 5, 6 ORDER BY 2, 3, 4, 5, 6
"""
