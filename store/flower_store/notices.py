"""What tells the API that something changed: NOTIFY after each commit, LISTEN on a connection of its own.

A notice carries no truth, only the cluster's id: whoever hears it reads again. PostgreSQL folds equal notices of one
transaction into one and delivers them at commit.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import LiteralString
from uuid import uuid4

import psycopg

from flower_store import database, errors
from flower_store.settings import StoreSettings

CHANNEL = "flower_changed"

ASKED = "flower_asked"
"""Tells collectors that a command waits for one of them."""

ANSWERED = "flower_answered"
"""Tells the API that a command of this cluster has ended."""


def send(cursor: psycopg.Cursor, cluster_id: int) -> None:
    """Announce, at the commit of the running transaction, that this cluster's rows changed."""
    cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(cluster_id)))


_PROBE = "flower_probe"

HEARING = timedelta(seconds=5)
"""How long a notice may take to come back to us. It takes milliseconds, or does not come."""


async def listen(settings: StoreSettings, channel: LiteralString = CHANNEL) -> AsyncGenerator[int]:
    """Yield the id of each cluster that changed; 0 first, when listening began: read everything again then.

    Raises Unavailable when the connection ends or hears nothing; call again to go on. Close it
    (`contextlib.aclosing`): it owns a connection.
    """
    url = database.libpq_url(settings.database_listen_url or settings.database_url)
    with errors.translated():
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=None)
        async with connection:
            await connection.execute(f"LISTEN {channel}")
            await _hear(connection, url)
            yield 0
            async for notice in connection.notifies():
                if notice.channel == channel:
                    yield int(notice.payload)


async def _hear(connection: psycopg.AsyncConnection, url: str) -> None:
    """Raise Unavailable unless what another connection announces is heard: a pool may answer LISTEN and be deaf."""
    word = uuid4().hex
    await connection.execute(f"LISTEN {_PROBE}")
    # By another connection: a pool hands on what comes while the listener's own statement is under way.
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=None) as other:
        await other.execute("SELECT pg_notify(%s, %s)", (_PROBE, word))
    if not await _heard(connection, word):
        raise errors.Unavailable(
            f"a notice did not come back in {HEARING.total_seconds():g} s, as behind pgbouncer in transaction mode: "
            "set database_listen_url to the server itself"
        )
    await connection.execute(f"UNLISTEN {_PROBE}")


async def _heard(connection: psycopg.AsyncConnection, word: str) -> bool:
    # Closed before the next statement: while it is open, it has the connection to itself.
    async with aclosing(connection.notifies(timeout=HEARING.total_seconds())) as notices:
        async for notice in notices:
            if notice.payload == word:
                return True
    return False
