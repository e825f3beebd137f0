"""API tokens: what is stored is a digest of each, so that whoever reads the database cannot come in with them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

USED_EVERY = timedelta(minutes=1)
"""How exactly the last use is known: a token that is used all the time costs one write in this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """One token. `clusters` are names, None for every one; `live` is neither revoked nor expired."""

    id: int
    name: str
    role: str
    clusters: list[str] | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    live: bool


async def create(
    connection: AsyncConnection,
    *,
    name: str,
    digest: bytes,
    role: str,
    clusters: Collection[int] | None,
    created_by: str,
    expires_at: datetime,
) -> TokenRecord:
    """Store one, in the transaction that the caller commits. `clusters` are ids."""
    given = {
        "name": name,
        "hash": digest,
        "role": role,
        "clusters": None if clusters is None else sorted(clusters),
        "created_by": created_by,
        "expires_at": expires_at,
    }
    made = (await connection.execute(_CREATE, given)).scalar_one()
    return _record((await connection.execute(_ONE, {"id": made})).mappings().one())


async def by_digest(connection: AsyncConnection, digest: bytes) -> TokenRecord | None:
    """The token of this digest, whether it lives or not."""
    row = (await connection.execute(_BY_DIGEST, {"hash": digest})).mappings().first()
    return _record(row) if row else None


async def used(connection: AsyncConnection, token_id: int) -> None:
    """Note the use, unless one of the last minute is noted. Committed when this returns."""
    await connection.execute(_USED, {"id": token_id, "every": USED_EVERY})
    await connection.commit()


async def listed(
    connection: AsyncConnection, *, created_by: str | None, after: int | None, limit: int
) -> list[TokenRecord]:
    """Tokens, the newest first; all, or those of one who made them; `after` is the id of the last one seen."""
    rows = await connection.execute(_LIST, {"created_by": created_by, "after": after, "limit": limit})
    return [_record(row) for row in rows.mappings()]


async def revoke(connection: AsyncConnection, token_id: int, *, created_by: str | None) -> TokenRecord | None:
    """Revoke one, in the transaction that the caller commits; None where there is none, or not of this one."""
    await connection.execute(_REVOKE, {"id": token_id, "created_by": created_by})
    row = (await connection.execute(_ONE, {"id": token_id})).mappings().first()
    found = _record(row) if row else None
    return found if found and created_by in {None, found.created_by} else None


def _record(row: Any) -> TokenRecord:  # noqa: ANN401 - a row
    return TokenRecord(**row)


_SELECT = """
SELECT id, name, role, CASE WHEN clusters IS NOT NULL THEN
    (SELECT coalesce(array_agg(slug ORDER BY slug), '{}') FROM cluster c WHERE c.id = ANY(t.clusters)) END AS clusters,
  created_by, created_at, expires_at, revoked_at, used_at,
  revoked_at IS NULL AND coalesce(expires_at > clock_timestamp(), true) AS live
FROM api_token t
"""

_CREATE = text("""
INSERT INTO api_token (name, hash, role, clusters, created_by, expires_at)
VALUES (:name, :hash, :role, CAST(:clusters AS smallint[]), :created_by, :expires_at) RETURNING id
""")
_ONE = text(f"{_SELECT} WHERE id = :id")
_BY_DIGEST = text(f"{_SELECT} WHERE hash = :hash")
_LIST = text(
    f"{_SELECT} WHERE (CAST(:created_by AS text) IS NULL OR created_by = :created_by)"
    " AND (CAST(:after AS integer) IS NULL OR id < :after) ORDER BY id DESC LIMIT :limit"
)
_USED = text("""
UPDATE api_token SET used_at = clock_timestamp()
WHERE id = :id AND (used_at IS NULL OR used_at < clock_timestamp() - CAST(:every AS interval))
""")
_REVOKE = text("""
UPDATE api_token SET revoked_at = clock_timestamp()
WHERE id = :id AND revoked_at IS NULL AND (CAST(:created_by AS text) IS NULL OR created_by = :created_by)
""")
