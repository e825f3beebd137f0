"""Names and their small ids: looked up once, remembered by the process.

Rows are added in a transaction of their own, before the batch's: what is remembered is then committed.
"""

from collections.abc import Iterable

import psycopg
from psycopg import sql

_REMEMBERED = 100_000
"""Names remembered of one kind. Past it all are forgotten and looked up again, so memory stays bounded."""


class Dimension:
    """Ids of one table's names for one cluster. The connection must be in autocommit mode."""

    def __init__(self, table: str, column: str, cluster_id: int) -> None:
        self._cluster_id = cluster_id
        self._ids: dict[str, int] = {}
        parts = {"table": sql.Identifier(table), "name": sql.Identifier(column)}
        self._insert = sql.SQL(
            "INSERT INTO {table} (cluster_id, {name}) SELECT %s, n FROM unnest(%s::text[]) AS n ORDER BY n "
            "ON CONFLICT (cluster_id, {name}) DO NOTHING"
        ).format(**parts)
        self._select = sql.SQL(
            "SELECT {name}, id FROM {table} WHERE cluster_id = %s AND {name} = ANY(%s::text[])"
        ).format(**parts)

    def ids(self, connection: psycopg.Connection, names: Iterable[str]) -> dict[str, int]:
        """The ids of these names; those that are new get a row. Empty names have none."""
        wanted = {name for name in names if name}
        missing = sorted(wanted - self._ids.keys())
        if missing:
            self._learn(connection, missing)
        return {name: self._ids[name] for name in wanted}

    def _learn(self, connection: psycopg.Connection, missing: list[str]) -> None:
        if len(self._ids) > _REMEMBERED:
            self._ids.clear()
        found = self._found(connection, missing)
        absent = [name for name in missing if name not in found]
        if absent:
            # Only what is absent: an INSERT that conflicts still takes a number from the sequence.
            connection.execute(self._insert, (self._cluster_id, absent))
            found |= self._found(connection, absent)
        self._ids |= found

    def _found(self, connection: psycopg.Connection, names: list[str]) -> dict[str, int]:
        return dict(connection.execute(self._select, (self._cluster_id, names)).fetchall())
