"""What tells the API that something changed: NOTIFY after each commit, LISTEN on a connection of its own.

A notice carries no truth, only the cluster's id: whoever hears it reads again. PostgreSQL folds equal notices of one
transaction into one and delivers them at commit.
"""

from collections.abc import AsyncGenerator

import psycopg

from flower_store import database, errors
from flower_store.settings import StoreSettings

CHANNEL = "flower_changed"


def send(cursor: psycopg.Cursor, cluster_id: int) -> None:
    """Announce, at the commit of the running transaction, that this cluster's rows changed."""
    cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(cluster_id)))


async def listen(settings: StoreSettings) -> AsyncGenerator[int]:
    """Yield the id of each cluster that changed; 0 first, when listening began: read everything again then.

    Raises Unavailable when the connection ends; call again to go on. Close it (`contextlib.aclosing`): it owns a
    connection.
    """
    with errors.translated():
        connection = await psycopg.AsyncConnection.connect(database.libpq_url(settings.database_url), autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            yield 0
            async for notice in connection.notifies():
                yield int(notice.payload)
