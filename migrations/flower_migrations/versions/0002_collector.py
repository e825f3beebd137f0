"""What exact counting, audits, marks, retention and control need."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """One function a subject, none of which needs another's tables but the first's."""
    _log()
    _audits()
    _marks()
    _retention()
    _leadership()
    _outbox()
    _groups()
    _access()


# --- the log and the counts ------------------------------------------------------------------------------------------


def _log() -> None:
    """The event log, the task's row, rollups and their histograms."""
    _tasks()
    _event_types()
    _events()
    for unit in ("1m", "1h"):
        op.alter_column(
            f"rollup_{unit}",
            "runtime_sum",
            type_=sa.Numeric(),
            comment="seconds, in whole microseconds: exact",
            existing_comment="seconds",
            postgresql_using="round(runtime_sum::numeric, 6)",
        )
    _histograms(
        "histogram_1m", "run times by minute of the success, waits by minute of the first start; counted as rollup_1m"
    )
    _histograms("histogram_1h", "histogram_1m by hour")
    _histograms(
        "histogram_1h_by",
        "histogram_1h of a name at all workers, or of a worker with all names",
        of=_either(),
    )
    _rollups_by()
    _totals()


def _tasks() -> None:
    """A number for the log to name a task by, narrower digests and indexes."""
    state, worker = (_expression(name) for name in ("state", "worker_id"))
    # A column that others are computed from cannot change its type, so these go and come again.
    op.execute("ALTER TABLE task DROP COLUMN state, DROP COLUMN worker_id")
    for index in ("seen", "name", "parent"):
        op.drop_index(f"ix_task_{index}", "task")
    digests = ", ".join(
        f"ALTER {register}_digest TYPE integer USING ({register}_digest % 2147483648)::integer"
        for register in _REGISTERS
    )
    op.execute(f"ALTER TABLE task {digests}, ADD id bigint NOT NULL GENERATED ALWAYS AS IDENTITY")
    op.execute("COMMENT ON COLUMN task.id IS 'by which the log names the task'")
    op.execute(
        f"ALTER TABLE task ADD state text NOT NULL GENERATED ALWAYS AS ({state}) STORED, "
        f"ADD worker_id integer GENERATED ALWAYS AS ({worker}) STORED"
    )


_REGISTERS = ("sent", "received", "started", "yielded", "succeeded", "failed", "revoked", "rejected", "custom")


def _expression(column: str) -> str:
    """How the first revision computes a column of `task`."""
    found = op.get_bind().scalar(
        sa.text(
            "SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a "
            "ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum) WHERE d.adrelid = 'task'::regclass AND a.attname = :name"
        ),
        {"name": column},
    )
    return str(found)


def _event_types() -> None:
    op.create_table(
        "event_type",
        sa.Column("id", sa.SmallInteger(), sa.Identity(always=True, start=100), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=True, comment="null: Celery's own, everywhere the same"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_event_type_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_type")),
        sa.UniqueConstraint("cluster_id", "name", name=op.f("uq_event_type_cluster_id_name")),
        comment="types of task events and their small ids; those of Celery's own are fixed (event_types.py)",
    )
    op.execute(
        "INSERT INTO event_type (id, name) OVERRIDING SYSTEM VALUE VALUES (1, 'task-sent'), (2, 'task-received'), "
        "(3, 'task-started'), (4, 'task-succeeded'), (5, 'task-failed'), (6, 'task-rejected'), (7, 'task-revoked'), "
        "(8, 'task-retried'), (9, 'task-cancelled')"
    )


def _events() -> None:
    """The log again, with rows of half the size."""
    op.execute("ALTER TABLE task_event RENAME TO task_event_first")
    op.execute("ALTER TABLE task_event_default RENAME TO task_event_first_default")
    op.create_table(
        "task_event",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False, comment="id of the row in task"),
        sa.Column("digest", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Integer(), nullable=False, comment="0 for task-sent: its sender is a client"),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("lag", sa.REAL(), nullable=False, comment="seconds from its time to the collector that received it"),
        sa.Column(
            "name_id", sa.Integer(), nullable=False, comment="under which the event counts; 0: it was not known yet"
        ),
        sa.Column("type", sa.SmallInteger(), nullable=False, comment="id of event_type"),
        sa.Column(
            "fields",
            sa.Text(),
            nullable=False,
            comment="everything else that the event carries (packing.py, repeats.py)",
        ),
        comment="every task event as it came, once (batch.py), append-only, a partition a day",
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_task_event_task_id", "task_event", ["task_id"])
    op.create_index(
        "ix_task_event_at", "task_event", ["at"], postgresql_using="brin", postgresql_with={"pages_per_range": 32}
    )
    op.execute("CREATE TABLE task_event_default PARTITION OF task_event DEFAULT")
    op.execute(
        "INSERT INTO event_type (cluster_id, name) SELECT DISTINCT e.cluster_id, e.type FROM task_event_first e "
        "WHERE NOT EXISTS (SELECT FROM event_type k WHERE k.cluster_id IS NULL AND k.name = e.type)"
    )
    # Into the default partition: the collector moves a day's rows when it makes the day's partition.
    op.execute(
        "INSERT INTO task_event SELECT e.at, e.clock, t.id, (e.digest % 2147483648)::integer, "
        "coalesce(e.worker_id, 0), e.pid, "
        "extract(epoch FROM e.received_at - e.at), coalesce(t.name_id, 0), k.id, coalesce(e.fields::text, '') "
        "FROM task_event_first e JOIN task t USING (cluster_id, key) "
        "JOIN event_type k ON k.name = e.type AND (k.cluster_id IS NULL OR k.cluster_id = e.cluster_id)"
    )
    op.execute("DROP TABLE task_event_first")


def _names_and_workers() -> list[sa.Column[int]]:
    return [
        sa.Column("name_id", sa.Integer(), nullable=False, comment="0: no event has told the name yet"),
        sa.Column("worker_id", sa.Integer(), nullable=False, comment="0: sent by a client"),
    ]


def _either() -> list[sa.Column[int]]:
    return [
        sa.Column("by", sa.SmallInteger(), nullable=False, comment="1: of a name, 2: of a worker (counting.py)"),
        sa.Column("id", sa.Integer(), nullable=False, comment="of the name or the worker; 0 as in rollup_1h"),
    ]


def _histograms(name: str, comment: str, *, of: list[sa.Column[int]] | None = None) -> None:
    of = of or _names_and_workers()
    op.create_table(
        name,
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        *of,
        sa.Column("measure", sa.SmallInteger(), nullable=False, comment="1: run time, 2: wait (histograms.py)"),
        sa.Column(
            "slot", sa.SmallInteger(), nullable=False, comment="the first bound that is not less (histograms.py)"
        ),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("sum", sa.Numeric(), nullable=False, comment="seconds, in whole microseconds: exact"),
        sa.PrimaryKeyConstraint(
            "cluster_id", "bucket", *(column.name for column in of), "measure", "slot", name=op.f(f"pk_{name}")
        ),
        comment=comment,
    )


def _rollups_by() -> None:
    op.create_table(
        "rollup_1h_by",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        *_either(),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("runtime_count", sa.BigInteger(), nullable=False),
        sa.Column("runtime_sum", sa.Numeric(), nullable=False, comment="seconds, in whole microseconds: exact"),
        sa.PrimaryKeyConstraint("cluster_id", "bucket", "by", "id", "type", name=op.f("pk_rollup_1h_by")),
        comment="rollup_1h of a name at all workers, or of a worker with all names",
    )
    for by, column in ((1, "name_id"), (2, "worker_id")):
        op.execute(
            f"INSERT INTO rollup_1h_by SELECT cluster_id, bucket, {by}, {column}, type, sum(count), "  # noqa: S608 - names of our columns
            f"sum(runtime_count), sum(runtime_sum) FROM rollup_1h GROUP BY cluster_id, bucket, {column}, type"
        )


def _totals() -> None:
    """Counts over all time. Those from before, of rows that retention may have dropped meanwhile, begin with the hours."""
    for name, of, comment in (
        (
            "rollup_total",
            _names_and_workers()[::-1],
            "rollup_1m over all time: what retention drops is still counted here, so it never falls",
        ),
        ("rollup_total_by", _either(), "rollup_total of a name at all workers, or of a worker with all names"),
    ):
        op.create_table(
            name,
            sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
            *of,
            sa.Column("type", sa.Text(), nullable=False),
            sa.Column("count", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint("cluster_id", *(column.name for column in of), "type", name=op.f(f"pk_{name}")),
            comment=comment,
        )
    for name, of, comment in (
        ("histogram_total", _names_and_workers()[::-1], "run times of histogram_1m over all time; never falls"),
        ("histogram_total_by", _either(), "histogram_total of a name at all workers, or of a worker with all names"),
    ):
        op.create_table(
            name,
            sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
            *of,
            sa.Column("measure", sa.SmallInteger(), nullable=False, comment="1: run time (histograms.py)"),
            sa.Column(
                "slot", sa.SmallInteger(), nullable=False, comment="the first bound that is not less (histograms.py)"
            ),
            sa.Column("count", sa.BigInteger(), nullable=False),
            sa.Column("sum", sa.Numeric(), nullable=False, comment="seconds, in whole microseconds: exact"),
            sa.PrimaryKeyConstraint(
                "cluster_id", *(column.name for column in of), "measure", "slot", name=op.f(f"pk_{name}")
            ),
            comment=comment,
        )
    op.create_table(
        "histogram_total_queue",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=False, comment="0: no event has told the queue yet"),
        sa.Column("name_id", sa.Integer(), nullable=False, comment="0: no event has told the name yet"),
        sa.Column("measure", sa.SmallInteger(), nullable=False, comment="1: run time, 2: wait (histograms.py)"),
        sa.Column(
            "slot", sa.SmallInteger(), nullable=False, comment="the first bound that is not less (histograms.py)"
        ),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("sum", sa.Numeric(), nullable=False, comment="seconds, in whole microseconds: exact"),
        sa.PrimaryKeyConstraint(
            "cluster_id", "queue_id", "name_id", "measure", "slot", name=op.f("pk_histogram_total_queue")
        ),
        comment="run times and waits over all time by queue, as they were known first; never falls",
    )
    op.execute(
        "INSERT INTO rollup_total SELECT cluster_id, worker_id, name_id, type, sum(count) FROM rollup_1h "
        "GROUP BY cluster_id, worker_id, name_id, type"
    )
    op.execute(
        "INSERT INTO rollup_total_by SELECT cluster_id, by, id, type, sum(count) FROM rollup_1h_by GROUP BY cluster_id, by, id, type"
    )


# --- gaps and the completeness audit ---------------------------------------------------------------------------------


def _audits() -> None:
    """What was lost, where and why."""
    for table in ("queue", "worker"):
        op.add_column(
            table,
            sa.Column(
                "used_at",
                sa.DateTime(timezone=True),
                server_default=sa.text("now()"),
                nullable=False,
                comment="when a collector last looked its id up (dimensions.py)",
            ),
        )
    op.add_column("gap", sa.Column("count", sa.BigInteger(), nullable=True, comment="events lost; null: not known"))
    op.add_column(
        "gap",
        sa.Column(
            "at_least",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="more than count may be lost",
        ),
    )
    op.add_column(
        "gap",
        sa.Column(
            "identity",
            sa.Uuid(),
            nullable=True,
            comment="what was lost, by where it begins: found again after a kill it is one gap",
        ),
    )
    op.create_unique_constraint(op.f("uq_gap_cluster_id_identity"), "gap", ["cluster_id", "identity"])
    op.create_index("ix_gap_ended", "gap", ["cluster_id", "ended_at"])
    op.create_index("ix_set_aside_newest", "set_aside", ["cluster_id", "id"])
    op.add_column(
        "collector",
        sa.Column(
            "findings",
            postgresql.JSONB(),
            server_default="[]",
            nullable=False,
            comment="what is wrong with the way of events",
        ),
    )
    op.add_column(
        "collector",
        sa.Column(
            "committed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="everything sent until then is committed or on disk; null: the broker keeps it",
        ),
    )
    _beats()
    _completeness()


def _beats() -> None:
    op.create_table(
        "process_beat",
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.Column("processed", sa.BigInteger(), nullable=False, comment="tasks started since this process began"),
        sa.Column("active", sa.Integer(), nullable=False, comment="-1: not told"),
        sa.Column("online", sa.Boolean(), nullable=False, comment="the worker said that it came"),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", "pid", "at", "clock", name=op.f("pk_process_beat")),
        comment="signs of life of worker processes that the completeness audit has not weighed yet",
    )
    op.create_table(
        "process",
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False, comment="one more at each restart under the same pid"),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.Column("processed", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idle_clock", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", "pid", name=op.f("pk_process")),
        comment="worker processes, as far as the audit has come: the last heartbeat, "
        "and the last one with nothing active",
    )


def _completeness() -> None:
    op.create_table(
        "completeness",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("clock_from", sa.BigInteger(), nullable=False),
        sa.Column("clock_to", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed", sa.BigInteger(), nullable=False, comment="tasks that the process says it started"),
        sa.Column("seen", sa.BigInteger(), nullable=False, comment="task-started events of it in the log"),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.Column(
            "repaired",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="whose end the result backend knew",
        ),
        sa.Column("cause", sa.Text(), nullable=True, comment="a reason of `gap`; null where nothing is missing"),
        sa.Column("gap_id", sa.Integer(), nullable=True, comment="the gap that explains it"),
        sa.Column("checked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_completeness")),
        sa.UniqueConstraint(
            "worker_id",
            "pid",
            "incarnation",
            "clock_from",
            name=op.f("uq_completeness_worker_id_pid_incarnation_clock_from"),
        ),
        comment="the audit: what a worker process says it started, and what was seen of it; whole intervals are merged",
    )
    op.create_index("ix_completeness_began", "completeness", ["cluster_id", "began_at"])
    op.create_index(
        "ix_completeness_missing",
        "completeness",
        ["cluster_id", "ended_at"],
        postgresql_where=sa.text("missing > 0"),
    )


# --- lost and stuck tasks, reconciliation ----------------------------------------------------------------------------


def _marks() -> None:
    """What the result backend knows, and which tasks nobody works on any more."""
    _found()
    _without_padding()
    op.create_table(
        "task_mark",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="lost, ended_unseen, stuck, overdue (marks.py)"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "key", name=op.f("pk_task_mark")),
        comment="tasks on which nobody seems to work; a mark holds for the state and last_at that it was made for",
    )


def _found() -> None:
    """A state that a result backend was found to know: where no event tells an end, and nothing began since."""
    told = _expression("state")
    found = (
        "found_at IS NOT NULL AND (started_at IS NULL OR started_at <= found_at) "
        f"AND (received_at IS NULL OR received_at <= found_at) AND ({told}) "
        "NOT IN ('SUCCESS', 'FAILURE', 'REVOKED', 'REJECTED')"
    )
    op.execute("ALTER TABLE task DROP COLUMN state")
    op.add_column(
        "task",
        sa.Column(
            "found_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="until when a result backend's answer covers the events",
        ),
    )
    op.add_column(
        "task",
        sa.Column(
            "found_state", sa.Text(), nullable=True, comment="SUCCESS, FAILURE or REVOKED, as a result backend knew it"
        ),
    )
    op.add_column("task", sa.Column("found_result", sa.Text(), nullable=True, comment="its result, or its exception"))
    op.add_column("task", sa.Column("found_traceback", sa.Text(), nullable=True))
    for column, comment in (
        ("failed_group_id", "error group of that failure"),
        ("found_group_id", "error group of the failure that a result backend knew"),
    ):
        op.add_column("task", sa.Column(column, sa.Integer(), nullable=True, comment=comment))
    op.execute(
        "ALTER TABLE task "
        f"ADD state text NOT NULL GENERATED ALWAYS AS (CASE WHEN {found} THEN found_state ELSE ({told}) END) STORED, "
        f"ADD reconciled boolean GENERATED ALWAYS AS (CASE WHEN {found} THEN true END) STORED"
    )
    op.create_table(
        "task_look",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("looks", sa.SmallInteger(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "key", name=op.f("pk_task_look")),
        comment="unfinished tasks that were looked up in the result backend, and when they are to be again",
    )


def _without_padding() -> None:
    """The tasks' table again, with its columns by width, widest first, so that none is padded; then its indexes."""
    columns = op.get_bind().execute(sa.text(_COLUMNS)).all()
    plain = ", ".join(name for name, _, generated, _ in columns if not generated)
    op.execute(f"CREATE TABLE task_packed ({', '.join(column.declared for column in columns)})")
    op.execute(f"INSERT INTO task_packed ({plain}) OVERRIDING SYSTEM VALUE SELECT {plain} FROM task")  # noqa: S608 - names of our columns
    comments = [(column.name, column.comment) for column in columns if column.comment]
    comments.append(("root_text", "empty where it is its own root"))
    op.execute("DROP TABLE task")
    op.execute("ALTER TABLE task_packed RENAME TO task")
    op.execute("ALTER SEQUENCE task_packed_id_seq RENAME TO task_id_seq")
    op.execute("SELECT setval('task_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM task), false)")
    op.create_table_comment("task", "the current state of each task: its events folded by the merge rule")
    for name, comment in comments:
        op.alter_column("task", name, comment=comment)
    op.create_primary_key(op.f("pk_task"), "task", ["cluster_id", "key"])
    op.create_foreign_key(op.f("fk_task_cluster_id"), "task", "cluster", ["cluster_id"], ["id"])
    for name, indexed, condition in _TASK_INDEXES:
        op.create_index(
            f"ix_task_{name}",
            "task",
            ["cluster_id", *(sa.text(f"({one})") if " " in one else one for one in indexed)],
            postgresql_where=sa.text(condition) if condition else None,
        )


_COLUMNS = """
SELECT a.attname AS name,
  concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
    CASE WHEN a.attidentity <> '' THEN 'GENERATED ALWAYS AS IDENTITY' END,
    CASE WHEN a.attgenerated <> '' THEN 'GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ') STORED' END
  ) AS declared,
  a.attgenerated <> '' AS generated, col_description(a.attrelid, a.attnum) AS comment
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
WHERE a.attrelid = 'task'::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY t.typlen < 0, CASE WHEN t.typalign = 'c' THEN 0 ELSE t.typlen END DESC, a.attnum
"""

_RETRIES = "greatest(coalesce(sent_retries, 0), coalesce(received_retries, 0))"
_WAIT = "CAST(EXTRACT(epoch FROM started_at - coalesce(sent_at, received_at)) AS double precision)"
_ERROR_CLASS = (
    "left(split_part(CASE WHEN state = 'FAILURE' THEN coalesce(exception, found_result) ELSE yielded_exception END, "
    "'(', 1), 100) COLLATE \"C\""
)
_TASK_INDEXES = (
    ("seen", ("seen_at",), ""),
    ("state", ("state", "seen_at"), "state <> 'SUCCESS'"),
    ("name", ("name_id", "seen_at"), ""),
    ("worker", ("worker_id", "seen_at"), ""),
    ("failed", ("failed_at",), "state = 'FAILURE'"),
    ("parent", ("parent_key",), "parent_key IS NOT NULL"),
    ("root", ("root_key",), "root_key IS NOT NULL"),
    ("retried", ("seen_at", f"CAST({_RETRIES} AS double precision)"), f"{_RETRIES} > 0"),
    ("eta", ("seen_at",), "due_at IS NOT NULL"),
    ("error", (_ERROR_CLASS, "seen_at"), "state IN ('FAILURE', 'RETRY')"),
    ("runtime", ("runtime",), "runtime >= 1"),
    ("wait", ("seen_at", _WAIT), f"{_WAIT} >= 10"),
    ("found", ("found_at",), "found_at IS NOT NULL"),
    ("group", ("failed_group_id", "failed_at"), "failed_group_id IS NOT NULL"),
    ("found_group", ("found_group_id",), "found_group_id IS NOT NULL"),
    ("due", ("due_at",), "due_at IS NOT NULL AND state IN ('PENDING', 'RECEIVED', 'RETRY')"),
)


# --- error groups ----------------------------------------------------------------------------------------------------


def _groups() -> None:
    """Failures that are alike: their counts, and a status that somebody sets. Nothing has filled the table yet."""
    for column in ("first_at", "last_at"):
        op.alter_column("error_group", column, nullable=True)
    op.alter_column("error_group", "count", server_default="0", comment="task-failed events")
    for column, comment in (
        ("changed_at", "when someone set its status"),
        ("regressed_at", "the failure that opened it again after it was resolved"),
    ):
        op.add_column("error_group", sa.Column(column, sa.DateTime(timezone=True), nullable=True, comment=comment))
    op.create_table_comment(
        "error_group", "failures that are alike; its times are null while no failure of it is committed"
    )
    _errors("error_1m", "task-failed events by minute and error group; counted as rollup_1m")
    _errors("error_1h", "error_1m by hour")


def _errors(name: str, comment: str) -> None:
    op.create_table(
        name,
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("name_id", sa.Integer(), nullable=False, comment="0: no event has told the name yet"),
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "bucket", "group_id", "name_id", "worker_id", name=op.f(f"pk_{name}")),
        comment=comment,
    )


# --- retention -------------------------------------------------------------------------------------------------------


def _retention() -> None:
    """Partitions, and what may be deleted."""
    _samples()
    # A fifth of ten million rows is two million dead ones before a vacuum looks: their room is to be used again earlier.
    op.execute("ALTER TABLE task SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)")


def _samples() -> None:
    """By the day, as the log; nothing has filled it yet."""
    op.drop_table("queue_sample")
    op.create_table(
        "queue_sample",
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=True),
        sa.Column("ready", sa.BigInteger(), nullable=True),
        sa.Column("unacked", sa.BigInteger(), nullable=True),
        sa.Column("consumers", sa.Integer(), nullable=True),
        sa.Column("oldest_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_queue_sample_queue_id")),
        sa.PrimaryKeyConstraint("queue_id", "at", name=op.f("pk_queue_sample")),
        comment="queue depth over time, a partition a day; null where the broker cannot tell",
        postgresql_partition_by="RANGE (at)",
    )
    op.execute("CREATE TABLE queue_sample_default PARTITION OF queue_sample DEFAULT")


# --- leadership ------------------------------------------------------------------------------------------------------


def _leadership() -> None:
    """Who leads: a lease in the place of a session's lock, which a pool in transaction mode does not keep."""
    op.create_table(
        "leader",
        sa.Column("cluster_id", sa.SmallInteger(), sa.ForeignKey("cluster.id"), primary_key=True),
        sa.Column("collector_id", sa.UUID(), nullable=False),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="another may take the place after it",
        ),
    )


# --- control ---------------------------------------------------------------------------------------------------------


def _outbox() -> None:
    """Commands that are taken once, keep no secret, and are never rewritten. A bulk command is one row."""
    op.drop_table("command_item")
    for column in (
        sa.Column("claimed_by", sa.UUID(), nullable=True, comment="id of the collector that took it"),
        sa.Column(
            "outcome", sa.Text(), nullable=True, comment="done, failed, unknown (outbox.py); null before the end"
        ),
        sa.Column(
            "payload",
            sa.Text(),
            nullable=True,
            comment="what must not stay: to be executed with, gone once it is taken",
        ),
        sa.Column(
            "answer", sa.Text(), nullable=True, comment="what must not stay: for whoever asked, gone after a while"
        ),
    ):
        op.add_column("command", column)
    op.create_table_comment(
        "command",
        "what someone asked for; the outbox of control and the audit log in one; a trigger keeps it append-only",
    )
    waiting, held = sa.text("claimed_at IS NULL"), sa.text("answer IS NOT NULL")
    op.create_index("ix_command_waiting", "command", ["cluster_id", "id"], postgresql_where=waiting)
    op.create_index("ix_command_asked", "command", ["cluster_id", "asked_at", "id"])
    op.create_index("ix_command_held", "command", ["cluster_id", "ended_at"], postgresql_where=held)
    op.execute(_APPEND_ONLY)
    op.execute(
        "CREATE TRIGGER command_append_only BEFORE UPDATE OR DELETE ON command "
        "FOR EACH ROW EXECUTE FUNCTION command_append_only()"
    )


_APPEND_ONLY = """
CREATE FUNCTION command_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF old.kind = 'result' THEN
      RETURN old;  -- a question, which changed nothing
    END IF;
    RAISE EXCEPTION 'command %: the audit log is append-only', old.id;
  END IF;
  IF (new.id, new.cluster_id, new.kind, new.target, new.actor, new.origin, new.reason, new.asked_at)
      IS DISTINCT FROM (old.id, old.cluster_id, old.kind, old.target, old.actor, old.origin, old.reason, old.asked_at)
    OR new.expires_at > old.expires_at
    OR old.claimed_at IS NOT NULL AND (new.claimed_at, new.claimed_by, new.arguments, new.expires_at)
      IS DISTINCT FROM (old.claimed_at, old.claimed_by, old.arguments, old.expires_at)
    OR old.ended_at IS NOT NULL AND (new.ended_at, new.outcome, new.reply)
      IS DISTINCT FROM (old.ended_at, old.outcome, old.reply)
  THEN
    RAISE EXCEPTION 'command %: the audit log is append-only', old.id;
  END IF;
  RETURN new;
END
$$
"""


# --- who may come in -------------------------------------------------------------------------------------------------


def _access() -> None:
    """Attempts to get in, and sessions that were ended."""
    op.create_table(
        "access_attempt",
        sa.Column(
            "key", sa.LargeBinary(), nullable=False, comment="digest of what is counted: an address, a name, both"
        ),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_access_attempt")),
        comment="attempts to get in, so that all replicas together let nobody guess (throttle.py)",
    )
    op.create_table(
        "session_end",
        sa.Column(
            "key", sa.Text(), nullable=False, comment="session:id, login:id, or subject:who for all that began before"
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_session_end")),
        comment="sessions that were ended before their time; until: no such session can live longer",
    )
    op.create_table(
        "federated_identity",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False, comment="empty where the provider did not prove one"),
        sa.Column("groups", postgresql.ARRAY(sa.Text()), nullable=False, comment="those that gave a role at the login"),
        sa.Column("mark", sa.Text(), nullable=False, comment="changes with the provider"),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_federated_identity")),
        comment="who came in by a provider, as of their last login: what their API tokens may",
    )
