"""Task names: a page of them, and their small ids."""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import cursors, tables
from flower_store.records import NameRecord, Page

_N = tables.task_name.c


async def names(
    connection: AsyncConnection, cluster_id: int, *, matching: str | None, after: str | None, limit: int
) -> Page[NameRecord]:
    """Names in the order of their letters' codes, all or those that match (`*` at the end: a beginning)."""
    ordered = _N.name.collate("C")
    statement = select(_N.id, _N.name).where(_N.cluster_id == cluster_id).order_by(ordered).limit(limit + 1)
    if matching is not None:
        statement = statement.where(alike(_N.name, matching))
    if after is not None:
        statement = statement.where(ordered > after)
    found = [NameRecord(*row) for row in await connection.execute(statement)]
    kept = found[:limit]
    return Page(kept, cursors.text_token(kept[-1].name) if len(found) > limit else None)


async def ids(connection: AsyncConnection, cluster_id: int, matching: str) -> list[int]:
    """The small ids of the names that match."""
    return list(await connection.scalars(select(_N.id).where(_N.cluster_id == cluster_id, alike(_N.name, matching))))


async def called(
    connection: AsyncConnection, cluster_id: int, by: str, wanted: Collection[int | None]
) -> Mapping[int | None, str]:
    """What these small ids of names or workers stand for."""
    table, column = _CALLED[by]
    there = [one for one in wanted if one is not None]
    rows = await connection.execute(
        select(table.c.id, table.c[column]).where(table.c.cluster_id == cluster_id, table.c.id.in_(there))
    )
    return {row[0]: row[1] for row in rows}


_CALLED: Mapping[str, tuple[Table, str]] = {
    "name": (tables.task_name, "name"), "worker": (tables.worker, "hostname"),
}  # fmt: skip


def alike(column: ColumnElement[str], matching: str) -> ColumnElement[bool]:
    """That a text is this one, or begins like it where it ends with `*`."""
    if matching.endswith("*"):
        return column.startswith(matching[:-1], autoescape=True)
    return column == matching
