"""The audit log across clusters, and how long it is kept."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Read by time alone; rows of a month ago may go, which is what retention deletes."""
    op.create_index("ix_command_log", "command", ["asked_at", "id"])
    op.execute(_APPEND_ONLY)


# The path is the function's own, or a table of somebody else's temporary schema could stand before a catalog's.
_APPEND_ONLY = """
CREATE OR REPLACE FUNCTION command_append_only() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF old.kind = 'result' OR old.asked_at < now() - interval '30 days' THEN
      RETURN old;  -- a question, which changed nothing; or what retention may delete
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
