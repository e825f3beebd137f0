"""Run by Alembic: migrate on the connection that `flower_migrations.upgrade` opened."""

from alembic import context
from sqlalchemy import text
from sqlalchemy.engine import Connection

from flower_store import tables


def run() -> None:
    """Run the migrations in one transaction, one process at a time."""
    connection: Connection = context.config.attributes["connection"]
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('flower migrations'))"))
    context.configure(connection=connection, target_metadata=tables.metadata, transaction_per_migration=False)
    context.run_migrations()


run()
