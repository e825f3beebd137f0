"""What exact counting, audits, marks and retention need."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """One function a subject, none of which needs another's tables but the first's."""
    _log()
    _audits()
    _marks()
    _retention()


# --- the log and the counts ------------------------------------------------------------------------------------------


def _log() -> None:
    """The event log, the task's row, rollups and their histograms."""


# --- gaps and the completeness audit ---------------------------------------------------------------------------------


def _audits() -> None:
    """What was lost, where and why."""
    op.add_column("gap", sa.Column("count", sa.BigInteger(), nullable=True, comment="events lost; null: not known"))
    op.create_index("ix_gap_ended", "gap", ["cluster_id", "ended_at"])
    op.create_index("ix_set_aside_newest", "set_aside", ["cluster_id", "id"])
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


# --- retention -------------------------------------------------------------------------------------------------------


def _retention() -> None:
    """Partitions, and what may be deleted."""
