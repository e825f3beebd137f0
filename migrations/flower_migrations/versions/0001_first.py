"""The first schema: clusters, tasks and their log, workers, rollups, commands, gaps."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("clusters", postgresql.ARRAY(sa.SmallInteger()), nullable=True, comment="null: all"),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_token_hash")),
    )
    op.create_table(
        "cluster",
        sa.Column("id", sa.SmallInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "slug", sa.Text(), nullable=False, comment="its name in addresses: letters, digits, hyphens"
        ),
        sa.Column(
            "transport",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="kombu's transport: redis, amqp, …",
        ),
        sa.Column(
            "broker", sa.Text(), server_default="", nullable=False, comment="broker URL without its password"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster")),
        sa.UniqueConstraint("slug", name=op.f("uq_cluster_slug")),
    )
    op.create_table(
        "rollup_1h",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name_id", sa.Integer(), nullable=False, comment="0: no event has told the name yet"),
        sa.Column("worker_id", sa.Integer(), nullable=False, comment="0: sent by a client"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("runtime_count", sa.BigInteger(), nullable=False),
        sa.Column("runtime_sum", sa.Double(), nullable=False, comment="seconds"),
        sa.PrimaryKeyConstraint(
            "cluster_id", "bucket", "name_id", "worker_id", "type", name=op.f("pk_rollup_1h")
        ),
        comment="rollup_1m by hour",
    )
    op.create_table(
        "rollup_1m",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name_id", sa.Integer(), nullable=False, comment="0: no event has told the name yet"),
        sa.Column("worker_id", sa.Integer(), nullable=False, comment="0: sent by a client"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("runtime_count", sa.BigInteger(), nullable=False),
        sa.Column("runtime_sum", sa.Double(), nullable=False, comment="seconds"),
        sa.PrimaryKeyConstraint(
            "cluster_id", "bucket", "name_id", "worker_id", "type", name=op.f("pk_rollup_1m")
        ),
        comment="events by minute of their own time; counted in the transaction that stores them, each once",
    )
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False, comment="the query string of the page"),
        sa.Column("shared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_saved_view_owner_name")),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
        comment="what all replicas must agree on and nobody configures, a session secret say",
    )
    op.create_table(
        "task_event",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column(
            "worker_id", sa.Integer(), nullable=True, comment="null for task-sent: its sender is a client"
        ),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "fields",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="everything else that the event carries",
        ),
        sa.PrimaryKeyConstraint("cluster_id", "key", "at", "digest", name=op.f("pk_task_event")),
        comment="every task event as it came, append-only, a partition a day",
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "collector",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("hostname", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column(
            "promise",
            sa.Text(),
            nullable=False,
            comment="what this broker and set-up lets it promise, in a sentence",
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("set_aside", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "lag",
            sa.REAL(),
            nullable=True,
            comment="seconds from the newest stored event's time to its commit",
        ),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_collector_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collector")),
        comment="collector processes and their last sign of life",
    )
    op.create_table(
        "command",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "cluster_id", sa.SmallInteger(), nullable=True, comment="null: concerns no cluster, a login say"
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("arguments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False, comment="address, and session or token"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reply", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_command_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command")),
        comment="what someone asked for; the outbox of control and the audit log in one",
    )
    op.create_table(
        "error_group",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column(
            "fingerprint",
            sa.UUID(),
            nullable=False,
            comment="of exception type, normalised message, top frame",
        ),
        sa.Column("exception", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("frame", sa.Text(), nullable=False),
        sa.Column(
            "status", sa.Text(), server_default="open", nullable=False, comment="open, resolved, ignored"
        ),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_error_group_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_group")),
        sa.UniqueConstraint("cluster_id", "fingerprint", name=op.f("uq_error_group_cluster_id_fingerprint")),
    )
    op.create_table(
        "gap",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_gap_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gap")),
        comment="intervals in which events were or may have been lost",
    )
    op.create_table(
        "queue",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_queue_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue")),
        sa.UniqueConstraint("cluster_id", "name", name=op.f("uq_queue_cluster_id_name")),
    )
    op.create_table(
        "set_aside",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("routing_key", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="at most 64 KiB of it"),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_set_aside_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
        comment="messages that could not be taken as they were",
    )
    op.create_table(
        "task",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column(
            "id_text", sa.Text(), nullable=True, comment="the task id where it is not a canonical UUID"
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_clock", sa.BigInteger(), nullable=False),
        sa.Column("name_id", sa.Integer(), nullable=True),
        sa.Column("args", sa.Text(), nullable=True),
        sa.Column("kwargs", sa.Text(), nullable=True),
        sa.Column("eta", sa.Text(), nullable=True),
        sa.Column("expires", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("root_key", sa.UUID(), nullable=True),
        sa.Column("root_text", sa.Text(), nullable=True),
        sa.Column("parent_key", sa.UUID(), nullable=True),
        sa.Column("parent_text", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_clock", sa.BigInteger(), nullable=True),
        sa.Column("sent_digest", sa.BigInteger(), nullable=True),
        sa.Column("sent_retries", sa.Integer(), nullable=True),
        sa.Column("queue_id", sa.Integer(), nullable=True),
        sa.Column("exchange", sa.Text(), nullable=True),
        sa.Column("routing_key", sa.Text(), nullable=True),
        sa.Column("client", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_clock", sa.BigInteger(), nullable=True),
        sa.Column("received_digest", sa.BigInteger(), nullable=True),
        sa.Column("received_retries", sa.Integer(), nullable=True),
        sa.Column("received_worker_id", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_clock", sa.BigInteger(), nullable=True),
        sa.Column("started_digest", sa.BigInteger(), nullable=True),
        sa.Column("started_worker_id", sa.Integer(), nullable=True),
        sa.Column("started_pid", sa.Integer(), nullable=True),
        sa.Column("yielded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("yielded_clock", sa.BigInteger(), nullable=True),
        sa.Column("yielded_digest", sa.BigInteger(), nullable=True),
        sa.Column("yielded_worker_id", sa.Integer(), nullable=True),
        sa.Column("yielded_pid", sa.Integer(), nullable=True),
        sa.Column("yielded_type", sa.Text(), nullable=True),
        sa.Column("yielded_exception", sa.Text(), nullable=True),
        sa.Column("yielded_traceback", sa.Text(), nullable=True),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("succeeded_clock", sa.BigInteger(), nullable=True),
        sa.Column("succeeded_digest", sa.BigInteger(), nullable=True),
        sa.Column("succeeded_worker_id", sa.Integer(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("runtime", sa.Double(), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_clock", sa.BigInteger(), nullable=True),
        sa.Column("failed_digest", sa.BigInteger(), nullable=True),
        sa.Column("failed_worker_id", sa.Integer(), nullable=True),
        sa.Column("exception", sa.Text(), nullable=True),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_clock", sa.BigInteger(), nullable=True),
        sa.Column("revoked_digest", sa.BigInteger(), nullable=True),
        sa.Column("revoked_worker_id", sa.Integer(), nullable=True),
        sa.Column("terminated", sa.Boolean(), nullable=True),
        sa.Column("expired", sa.Boolean(), nullable=True),
        sa.Column("signum", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_clock", sa.BigInteger(), nullable=True),
        sa.Column("rejected_digest", sa.BigInteger(), nullable=True),
        sa.Column("rejected_worker_id", sa.Integer(), nullable=True),
        sa.Column("custom_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("custom_clock", sa.BigInteger(), nullable=True),
        sa.Column("custom_digest", sa.BigInteger(), nullable=True),
        sa.Column("custom_worker_id", sa.Integer(), nullable=True),
        sa.Column("custom_type", sa.Text(), nullable=True),
        sa.Column("custom_fields", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "state",
            sa.Text(),
            sa.Computed(
                "CASE WHEN succeeded_at IS NOT NULL THEN 'SUCCESS'::text WHEN (failed_at IS NOT NULL AND NOT (revoked_at IS NOT NULL AND (failed_at IS NULL OR (revoked_at, revoked_clock, revoked_digest) > (failed_at, failed_clock, failed_digest))) AND NOT (started_at IS NOT NULL AND (failed_at IS NULL OR (started_at, started_clock, started_digest) > (failed_at, failed_clock, failed_digest))) AND NOT (received_at IS NOT NULL AND (failed_at IS NULL OR (received_at, received_clock, received_digest) > (failed_at, failed_clock, failed_digest)))) THEN 'FAILURE'::text WHEN (revoked_at IS NOT NULL AND NOT (failed_at IS NOT NULL AND (revoked_at IS NULL OR (failed_at, failed_clock, failed_digest) > (revoked_at, revoked_clock, revoked_digest))) AND NOT (started_at IS NOT NULL AND (revoked_at IS NULL OR (started_at, started_clock, started_digest) > (revoked_at, revoked_clock, revoked_digest))) AND NOT (received_at IS NOT NULL AND (revoked_at IS NULL OR (received_at, received_clock, received_digest) > (revoked_at, revoked_clock, revoked_digest)))) THEN 'REVOKED'::text WHEN failed_at IS NULL AND revoked_at IS NULL AND (rejected_at IS NOT NULL AND NOT (started_at IS NOT NULL AND (rejected_at IS NULL OR (started_at, started_clock, started_digest) > (rejected_at, rejected_clock, rejected_digest))) AND NOT (received_at IS NOT NULL AND (rejected_at IS NULL OR (received_at, received_clock, received_digest) > (rejected_at, rejected_clock, rejected_digest)))) THEN 'REJECTED'::text WHEN (NOT (started_at IS NULL OR NOT (started_at IS NOT NULL AND (failed_at IS NULL OR (started_at, started_clock, started_digest) > (failed_at, failed_clock, failed_digest))) OR NOT (started_at IS NOT NULL AND (revoked_at IS NULL OR (started_at, started_clock, started_digest) > (revoked_at, revoked_clock, revoked_digest))) OR NOT (started_at IS NOT NULL AND (rejected_at IS NULL OR (started_at, started_clock, started_digest) > (rejected_at, rejected_clock, rejected_digest)))) AND (yielded_at IS NULL OR (started_at IS NOT NULL AND (yielded_at IS NULL OR (started_at, started_clock, started_digest) > (yielded_at, yielded_clock, yielded_digest))) OR (started_worker_id, started_pid) IS DISTINCT FROM (yielded_worker_id, yielded_pid))) THEN 'STARTED'::text WHEN NOT (yielded_at IS NULL OR NOT (yielded_at IS NOT NULL AND (failed_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (failed_at, failed_clock, failed_digest))) OR NOT (yielded_at IS NOT NULL AND (revoked_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (revoked_at, revoked_clock, revoked_digest))) OR NOT (yielded_at IS NOT NULL AND (rejected_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (rejected_at, rejected_clock, rejected_digest)))) AND yielded_type = 'task-retried' THEN 'RETRY'::text WHEN NOT (yielded_at IS NULL OR NOT (yielded_at IS NOT NULL AND (failed_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (failed_at, failed_clock, failed_digest))) OR NOT (yielded_at IS NOT NULL AND (revoked_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (revoked_at, revoked_clock, revoked_digest))) OR NOT (yielded_at IS NOT NULL AND (rejected_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (rejected_at, rejected_clock, rejected_digest)))) AND (yielded_at IS NOT NULL AND (received_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (received_at, received_clock, received_digest))) THEN 'REJECTED'::text WHEN received_at IS NOT NULL THEN 'RECEIVED'::text WHEN sent_at IS NOT NULL THEN 'PENDING'::text ELSE 'UNKNOWN'::text END",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.Column(
            "worker_id",
            sa.Integer(),
            sa.Computed(
                "CASE WHEN succeeded_at IS NOT NULL THEN succeeded_worker_id WHEN (failed_at IS NOT NULL AND NOT (revoked_at IS NOT NULL AND (failed_at IS NULL OR (revoked_at, revoked_clock, revoked_digest) > (failed_at, failed_clock, failed_digest))) AND NOT (started_at IS NOT NULL AND (failed_at IS NULL OR (started_at, started_clock, started_digest) > (failed_at, failed_clock, failed_digest))) AND NOT (received_at IS NOT NULL AND (failed_at IS NULL OR (received_at, received_clock, received_digest) > (failed_at, failed_clock, failed_digest)))) THEN failed_worker_id WHEN (revoked_at IS NOT NULL AND NOT (failed_at IS NOT NULL AND (revoked_at IS NULL OR (failed_at, failed_clock, failed_digest) > (revoked_at, revoked_clock, revoked_digest))) AND NOT (started_at IS NOT NULL AND (revoked_at IS NULL OR (started_at, started_clock, started_digest) > (revoked_at, revoked_clock, revoked_digest))) AND NOT (received_at IS NOT NULL AND (revoked_at IS NULL OR (received_at, received_clock, received_digest) > (revoked_at, revoked_clock, revoked_digest)))) THEN revoked_worker_id WHEN failed_at IS NULL AND revoked_at IS NULL AND (rejected_at IS NOT NULL AND NOT (started_at IS NOT NULL AND (rejected_at IS NULL OR (started_at, started_clock, started_digest) > (rejected_at, rejected_clock, rejected_digest))) AND NOT (received_at IS NOT NULL AND (rejected_at IS NULL OR (received_at, received_clock, received_digest) > (rejected_at, rejected_clock, rejected_digest)))) THEN rejected_worker_id WHEN (NOT (started_at IS NULL OR NOT (started_at IS NOT NULL AND (failed_at IS NULL OR (started_at, started_clock, started_digest) > (failed_at, failed_clock, failed_digest))) OR NOT (started_at IS NOT NULL AND (revoked_at IS NULL OR (started_at, started_clock, started_digest) > (revoked_at, revoked_clock, revoked_digest))) OR NOT (started_at IS NOT NULL AND (rejected_at IS NULL OR (started_at, started_clock, started_digest) > (rejected_at, rejected_clock, rejected_digest)))) AND (yielded_at IS NULL OR (started_at IS NOT NULL AND (yielded_at IS NULL OR (started_at, started_clock, started_digest) > (yielded_at, yielded_clock, yielded_digest))) OR (started_worker_id, started_pid) IS DISTINCT FROM (yielded_worker_id, yielded_pid))) THEN started_worker_id WHEN NOT (yielded_at IS NULL OR NOT (yielded_at IS NOT NULL AND (failed_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (failed_at, failed_clock, failed_digest))) OR NOT (yielded_at IS NOT NULL AND (revoked_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (revoked_at, revoked_clock, revoked_digest))) OR NOT (yielded_at IS NOT NULL AND (rejected_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (rejected_at, rejected_clock, rejected_digest)))) AND yielded_type = 'task-retried' THEN yielded_worker_id WHEN NOT (yielded_at IS NULL OR NOT (yielded_at IS NOT NULL AND (failed_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (failed_at, failed_clock, failed_digest))) OR NOT (yielded_at IS NOT NULL AND (revoked_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (revoked_at, revoked_clock, revoked_digest))) OR NOT (yielded_at IS NOT NULL AND (rejected_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (rejected_at, rejected_clock, rejected_digest)))) AND (yielded_at IS NOT NULL AND (received_at IS NULL OR (yielded_at, yielded_clock, yielded_digest) > (received_at, received_clock, received_digest))) THEN yielded_worker_id WHEN received_at IS NOT NULL THEN received_worker_id WHEN sent_at IS NOT NULL THEN NULL::integer ELSE custom_worker_id END",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_task_cluster_id")),
        sa.PrimaryKeyConstraint("cluster_id", "key", name=op.f("pk_task")),
        comment="the current state of each task: its events folded by the merge rule",
    )
    op.create_index("ix_task_name", "task", ["cluster_id", "name_id", "seen_at", "key"], unique=False)
    op.create_index(
        "ix_task_parent",
        "task",
        ["cluster_id", "parent_key"],
        unique=False,
        postgresql_where=sa.text("parent_key IS NOT NULL"),
    )
    op.create_index("ix_task_seen", "task", ["cluster_id", "seen_at", "key"], unique=False)
    op.create_index("ix_task_state", "task", ["cluster_id", "state", "seen_at", "key"], unique=False)
    op.create_index("ix_task_worker", "task", ["cluster_id", "worker_id", "seen_at", "key"], unique=False)
    op.create_table(
        "task_name",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_task_name_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_name")),
        sa.UniqueConstraint("cluster_id", "name", name=op.f("uq_task_name_cluster_id_name")),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("hostname", sa.Text(), nullable=False, comment="node name: celery@host"),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_clock", sa.BigInteger(), nullable=True),
        sa.Column("offline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("alive_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("freq", sa.REAL(), nullable=True, comment="seconds between heartbeats"),
        sa.Column("active", sa.Integer(), nullable=True),
        sa.Column(
            "processed", sa.BigInteger(), nullable=True, comment="tasks started since this process began"
        ),
        sa.Column("loadavg", postgresql.ARRAY(sa.REAL()), nullable=True),
        sa.Column("sw_ident", sa.Text(), nullable=True),
        sa.Column("sw_ver", sa.Text(), nullable=True),
        sa.Column("sw_sys", sa.Text(), nullable=True),
        sa.Column(
            "utcoffset",
            sa.REAL(),
            nullable=True,
            comment="hours west of UTC; information only, never applied",
        ),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_worker_cluster_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
        sa.UniqueConstraint("cluster_id", "hostname", name=op.f("uq_worker_cluster_id_hostname")),
        comment="a worker and its last sign of life; alive_until is in the database's clock, the rest in the worker's",
    )
    op.create_table(
        "command_item",
        sa.Column("command_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reply", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["command_id"], ["command.id"], name=op.f("fk_command_item_command_id")),
        sa.PrimaryKeyConstraint("command_id", "position", name=op.f("pk_command_item")),
        comment="one row a task of a bulk command",
    )
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
        comment="queue depth over time; null where the broker cannot tell",
    )
    op.create_table(
        "worker_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column(
            "type", sa.Text(), nullable=False, comment="worker-online, worker-offline, or worker-lost (ours)"
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["worker_id"], ["worker.id"], name=op.f("fk_worker_event_worker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_event")),
        sa.UniqueConstraint("worker_id", "at", "type", name=op.f("uq_worker_event_worker_id_at_type")),
        comment="workers coming and going; heartbeats only move the worker's row",
    )
    op.create_table(
        "worker_reply",
        sa.Column("worker_id", sa.Integer(), nullable=False),
        sa.Column(
            "method",
            sa.Text(),
            nullable=False,
            comment="inspect method: stats, active_queues, registered, conf, …",
        ),
        sa.Column("reply", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("replied_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["worker_id"], ["worker.id"], name=op.f("fk_worker_reply_worker_id")),
        sa.PrimaryKeyConstraint("worker_id", "method", name=op.f("pk_worker_reply")),
        comment="the last answer of each worker to each inspect method",
    )

    # The log's default partition takes what no day's partition covers: senders whose clocks are far off.
    op.execute("CREATE TABLE task_event_default PARTITION OF task_event DEFAULT")
