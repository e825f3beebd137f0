"""The SQL of one batch: a temporary table of folded tasks, their merge, and what the log knows of them already.

Every statement takes its rows in the order of their key: two collectors then lock in the same order, and no
deadlock can arise between them (unsorted batches gave 77 in two runs, sorted ones none in five).
"""

from flower_store import registers, rows, schema


def _statement(text: str) -> bytes:
    """A statement for the driver, which takes text only where it is a literal; ours is made from column names."""
    return text.encode()


def _columns(names: tuple[str, ...], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{name}" for name in names)


# "IF NOT EXISTS": behind pgbouncer a transaction does not know which connections have the table already.
# Its name tells the schema: the pool's connections outlive a migration, and so do their temporary tables.
_INCOMING = f"incoming_task_{schema.REVISION}"

TEMPORARY = _statement(
    f"CREATE TEMPORARY TABLE IF NOT EXISTS {_INCOMING} ON COMMIT DELETE ROWS AS "
    f"SELECT {_columns(rows.TASK_COLUMNS)} FROM task WITH NO DATA"
)

COPY_TASKS = _statement(f"COPY {_INCOMING} ({_columns(rows.TASK_COLUMNS)}) FROM STDIN (FORMAT BINARY)")
COPY_EVENTS = _statement(f"COPY task_event ({_columns(rows.EVENT_COLUMNS)}) FROM STDIN (FORMAT BINARY)")


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
    sets = ["seen_at = least(t.seen_at, excluded.seen_at)", "last_at = greatest(t.last_at, excluded.last_at)"]
    sets += _kept(registers.DESCRIPTION, _describes())
    for register in registers.ALL:
        sets += _kept(register.columns, _wins(register))
    return ", ".join(sets)


MERGE_TASKS = _statement(
    f"INSERT INTO task AS t (cluster_id, {_columns(rows.TASK_COLUMNS)}) "
    f"SELECT %(cluster)s, {_columns(rows.TASK_COLUMNS)} FROM {_INCOMING} ORDER BY key "
    f"ON CONFLICT (cluster_id, key) DO UPDATE SET {_assignments()} "
    # xmax tells a new row from one that was there: of a new task the log can hold nothing yet.
    "RETURNING uuid_send(key), id, coalesce(name_id, 0), coalesce(queue_id, 0), seen_at, xmax = 0"
)
"""Locks every task of the batch until the commit, which makes LOGGED exact: see there."""

# LATERAL and OFFSET 0 hold the planner to one look into the index for each task, whatever it believes about a
# partition of which it has no statistics yet.
LOGGED = _statement(
    "SELECT e.* FROM unnest(%(ids)s::bigint[]) AS wanted(id) CROSS JOIN LATERAL ("
    "SELECT task_id, at, digest, type, worker_id, name_id, CASE WHEN type <= 2 THEN fields END FROM task_event "
    "WHERE task_id = wanted.id AND at >= %(since)s AND (type <= 3 OR at <= %(until)s) OFFSET 0) AS e"
)
"""What the log holds of tasks that the transaction has locked. Whoever logs an event has locked its task before, so
nothing can be added to this answer by another collector until we commit: it is what makes the log's rows unique."""
