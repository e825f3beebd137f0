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


# --- lost and stuck tasks, reconciliation ----------------------------------------------------------------------------


def _marks() -> None:
    """What the result backend knows, and which tasks nobody works on any more."""


# --- retention -------------------------------------------------------------------------------------------------------


def _retention() -> None:
    """Partitions, and what may be deleted."""
