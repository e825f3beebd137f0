"""The revision that this build needs. Both processes refuse to start on another one."""

from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import text

from flower_store import errors

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

REVISION = "0003"
"""The newest migration in `migrations/`; a test holds that it is."""

_MIGRATED = "SELECT to_regclass('alembic_version') IS NOT NULL"
_FOUND = "SELECT max(version_num) FROM alembic_version"


def check(connection: psycopg.Connection) -> None:
    """Raise WrongSchema unless the database is at REVISION."""
    with errors.translated():
        migrated = connection.execute(_MIGRATED).fetchone()
        found = connection.execute(_FOUND).fetchone() if migrated and migrated[0] else None
    compare(found[0] if found else None)


async def check_async(connection: "AsyncConnection") -> None:
    """Raise WrongSchema unless the database is at REVISION."""
    with errors.translated():
        migrated = await connection.scalar(text(_MIGRATED))
        found = await connection.scalar(text(_FOUND)) if migrated else None
    compare(found)


def compare(found: str | None) -> None:
    """Raise WrongSchema unless this revision, which a database was found to be at, is REVISION."""
    if found == REVISION:
        return
    if found is None:
        raise errors.WrongSchema(f"the database is empty, this build needs schema {REVISION}: run `flower migrate`")
    if found < REVISION:
        raise errors.WrongSchema(f"schema is {found}, this build needs {REVISION}: run `flower migrate`")
    raise errors.WrongSchema(f"schema is {found}, this build needs {REVISION}: use the build that made it")
