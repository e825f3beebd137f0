"""The SQL of one batch: two temporary tables, the merge of tasks, the log, and the counts of what was new.

Every statement takes its rows in the order of their key: two collectors then lock in the same order, and no
deadlock can arise between them (unsorted batches gave 77 in two runs, sorted ones none in five).
"""

from flower_store import registers, rows


def _statement(text: str) -> bytes:
    """A statement for the driver, which takes text only where it is a literal; ours is made from column names."""
    return text.encode()


def _columns(names: tuple[str, ...], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{name}" for name in names)


TEMPORARY = tuple(
    _statement(text)
    for text in (
        # "IF NOT EXISTS": behind pgbouncer a transaction does not know which connections have the table already.
        "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_task ON COMMIT DELETE ROWS AS "
        f"SELECT {_columns(rows.TASK_COLUMNS)} FROM task WITH NO DATA",
        "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_event ON COMMIT DELETE ROWS AS "
        f"SELECT {_columns(rows.EVENT_COLUMNS)}, 0::double precision AS runtime FROM task_event WITH NO DATA",
        "CREATE TEMPORARY TABLE IF NOT EXISTS fresh_event ON COMMIT DELETE ROWS AS "
        "SELECT key, at, type, worker_id, digest FROM task_event WITH NO DATA",
    )
)

COPY_TASKS = _statement(f"COPY incoming_task ({_columns(rows.TASK_COLUMNS)}) FROM STDIN")
COPY_EVENTS = _statement(f"COPY incoming_event ({_columns(rows.EVENT_COLUMNS)}, runtime) FROM STDIN")


def _wins(register: registers.Register) -> str:
    new = _columns(register.key, "excluded.")
    old = _columns(register.key, "t.")
    there = f"excluded.{register.name}_at IS NOT NULL"
    return f"({there} AND (t.{register.name}_at IS NULL OR ({new}) > ({old})))"


def _describes() -> str:
    nothing_received = "(excluded.received_at IS NULL AND t.received_at IS NULL)"
    return f"({_wins(registers.RECEIVED)} OR {nothing_received} AND {_wins(registers.SENT)})"


def _kept(names: tuple[str, ...], condition: str) -> list[str]:
    return [f"{name} = CASE WHEN {condition} THEN excluded.{name} ELSE t.{name} END" for name in names]


def _assignments() -> str:
    later = "(excluded.last_at, excluded.last_clock) > (t.last_at, t.last_clock)"
    sets = ["seen_at = least(t.seen_at, excluded.seen_at)"]
    sets += _kept(("last_at", "last_clock"), later)
    sets += _kept(registers.DESCRIPTION, _describes())
    for register in registers.ALL:
        sets += _kept(register.columns, _wins(register))
    return ", ".join(sets)


MERGE_TASKS = _statement(
    f"INSERT INTO task AS t (cluster_id, {_columns(rows.TASK_COLUMNS)}) "
    f"SELECT %(cluster)s, {_columns(rows.TASK_COLUMNS)} FROM incoming_task ORDER BY key "
    f"ON CONFLICT (cluster_id, key) DO UPDATE SET {_assignments()}"
)

APPEND_EVENTS = _statement(
    f"WITH fresh AS (INSERT INTO task_event (cluster_id, {_columns(rows.EVENT_COLUMNS)}) "
    f"SELECT %(cluster)s, {_columns(rows.EVENT_COLUMNS)} FROM incoming_event ORDER BY key, at, digest "
    "ON CONFLICT DO NOTHING RETURNING key, at, type, worker_id, digest) "
    "INSERT INTO fresh_event SELECT * FROM fresh"
)


def _count(table: str, unit: str) -> bytes:
    return _statement(
        f"INSERT INTO {table} AS r (cluster_id, bucket, name_id, worker_id, type, count, runtime_count, runtime_sum) "
        f"SELECT %(cluster)s, date_trunc('{unit}', f.at, 'UTC'), coalesce(t.name_id, 0), coalesce(f.worker_id, 0), "
        "f.type, count(*), count(i.runtime), coalesce(sum(i.runtime), 0) "
        "FROM fresh_event f JOIN incoming_event i USING (key, at, digest) "
        "JOIN task t ON t.cluster_id = %(cluster)s AND t.key = f.key "
        "GROUP BY 2, 3, 4, 5 ORDER BY 2, 3, 4, 5 "
        "ON CONFLICT (cluster_id, bucket, name_id, worker_id, type) DO UPDATE SET count = r.count + excluded.count, "
        "runtime_count = r.runtime_count + excluded.runtime_count, runtime_sum = r.runtime_sum + excluded.runtime_sum"
    )


COUNT = (_count("rollup_1m", "minute"), _count("rollup_1h", "hour"))
