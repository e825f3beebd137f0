"""Views that somebody saved: the query string of a page, under a name, theirs alone or shown to all."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MOST = 200
"""Views of one owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRecord:
    """One view. `owner` is a subject."""

    id: int
    owner: str
    name: str
    query: str
    shared: bool
    created_at: datetime


async def listed(connection: AsyncConnection, owner: str) -> list[ViewRecord]:
    """The owner's views and those that others share, by name."""
    rows = await connection.execute(_LIST, {"owner": owner})
    return [ViewRecord(**row) for row in rows.mappings()]


async def save(connection: AsyncConnection, *, owner: str, name: str, query: str, shared: bool) -> ViewRecord | None:
    """Save it, in place of the owner's own of this name; None where the owner has too many. The caller commits."""
    given = {"owner": owner, "name": name, "query": query, "shared": shared, "most": MOST}
    row = (await connection.execute(_SAVE, given)).mappings().first()
    return ViewRecord(**row) if row else None


async def delete(connection: AsyncConnection, view_id: int, *, owner: str) -> bool:
    """Delete the owner's own; False where there is none. The caller commits."""
    return (await connection.execute(_DELETE, {"id": view_id, "owner": owner})).first() is not None


_COLUMNS = "id, owner, name, query, shared, created_at"
_LIST = text(f"SELECT {_COLUMNS} FROM saved_view WHERE owner = :owner OR shared ORDER BY name, id")
_SAVE = text(f"""
INSERT INTO saved_view AS v (owner, name, query, shared)
SELECT :owner, :name, :query, :shared
WHERE (SELECT count(*) FROM saved_view WHERE owner = :owner AND name <> :name) < :most
ON CONFLICT (owner, name) DO UPDATE SET query = excluded.query, shared = excluded.shared
RETURNING {_COLUMNS}
""")
_DELETE = text("DELETE FROM saved_view WHERE id = :id AND owner = :owner RETURNING id")
