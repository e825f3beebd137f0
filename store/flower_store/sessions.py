"""What replicas must agree on about sessions, which are cookies: a secret that nobody configured, and early ends."""

import json
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SECRET = "session_secret"  # noqa: S105 - the name of a setting


async def secret(connection: AsyncConnection, made: str) -> str:
    """The secret that is stored; `made` is stored where there is none yet. Committed when this returns."""
    await connection.execute(_MAKE, {"name": _SECRET, "value": json.dumps(made)})
    await connection.commit()
    return str((await connection.execute(_READ, {"name": _SECRET})).scalar_one())


async def ended(connection: AsyncConnection, session: str, *, subject: str, began_at: datetime) -> bool:
    """Whether the session was ended: itself, or with all others of the subject."""
    given = {"session": f"session:{session}", "subject": f"subject:{subject}", "began": began_at}
    return (await connection.execute(_ENDED, given)).first() is not None


async def end(connection: AsyncConnection, session: str, *, until: datetime) -> None:
    """End one session, which would live until then, in the transaction that the caller commits."""
    await connection.execute(_FORGET)
    await connection.execute(_END, {"key": f"session:{session}", "until": until})


async def spend(connection: AsyncConnection, login: str, *, until: datetime) -> bool:
    """Whether this login by a provider was not finished before, on any replica. Committed when this returns."""
    await connection.execute(_FORGET)
    spent = (await connection.execute(_SPEND, {"key": f"login:{login}", "until": until})).first() is not None
    await connection.commit()
    return spent


async def end_all(connection: AsyncConnection, subject: str, *, until: datetime) -> None:
    """End every session of the subject that has begun; none would live longer than `until`. The caller commits."""
    await connection.execute(_FORGET)
    await connection.execute(_END, {"key": f"subject:{subject}", "until": until})


_MAKE = text("""
INSERT INTO setting (name, value) VALUES (:name, CAST(:value AS jsonb)) ON CONFLICT (name) DO NOTHING
""")
_READ = text("SELECT value #>> '{}' FROM setting WHERE name = :name")
_ENDED = text("""
SELECT FROM session_end WHERE key = :session OR (key = :subject AND ended_at >= :began) LIMIT 1
""")
_FORGET = text("DELETE FROM session_end WHERE until < now()")
_SPEND = text("""
INSERT INTO session_end (key, ended_at, until) VALUES (:key, clock_timestamp(), :until)
ON CONFLICT (key) DO NOTHING RETURNING key
""")
_END = text("""
INSERT INTO session_end AS e (key, ended_at, until) VALUES (:key, clock_timestamp(), :until)
ON CONFLICT (key) DO UPDATE SET ended_at = excluded.ended_at, until = greatest(e.until, excluded.until)
""")
