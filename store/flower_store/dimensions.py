"""Names and their small ids: looked up once, remembered by the process, and bounded in number.

Rows are added in a transaction of their own, before the batch's: what is remembered is then committed. Beyond the
bound of a cluster, whatever is new shares one row, named OVERFLOW: a producer that makes up ten million names costs
one. Whoever adds names to a table of a cluster does so alone, so that writers at the same moment keep the bound, too.

Names of queues and workers that nobody uses any more are deleted (`unused.py`), and their ids are never given again. A
lookup says in the row that the name is used, and what was looked up is good for LEASE; a row that was used within
`unused.SAFE`, much longer, is not deleted. So no id is written whose row may be gone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, LiteralString

import psycopg
from psycopg import sql

OVERFLOW = "(overflow)"
"""The name of the row that stands for all names past the bound."""


LEASE = timedelta(minutes=10)
"""For so long a writer remembers ids, and takes a full table for full."""

STALE = 2 * LEASE
"""By the database's clock, ids that are remembered longer are not written: a process may have stood still meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many names of each kind, and groups of errors, a cluster may have."""

    names: int = 10_000
    queues: int = 10_000
    workers: int = 10_000
    types: int = 500
    groups: int = 5_000


class Dimension:
    """Ids of one table's names for one cluster. The connection must be in autocommit mode."""

    kind: ClassVar[LiteralString] = "text"
    """The type of the column."""
    overflow: ClassVar[str] = OVERFLOW

    def __init__(self, table: str, column: str, cluster_id: int, *, most: int, goes: bool = False) -> None:
        """`goes` where unused names are deleted."""
        self._table = table
        self._cluster_id = cluster_id
        self._most = most
        self._ids: dict[str, int] = {}
        self._full = False
        self.overflow_id = -1
        self._overflowed = 0
        parts = {"table": sql.Identifier(table), "name": sql.Identifier(column), "kind": sql.SQL(self.kind)}
        self._insert = sql.SQL(
            "INSERT INTO {table} (cluster_id, {name}) SELECT %s, n FROM unnest(%s::text[]) AS n ORDER BY n "
            "ON CONFLICT (cluster_id, {name}) DO NOTHING"
        ).format(**parts)
        found = "SELECT {name}::text, id FROM {table} WHERE cluster_id = %s AND {name} = ANY(%s::{kind}[])"
        self._select = sql.SQL(found).format(**parts)
        self._use = sql.SQL(_USE).format(**parts) if goes else None
        self._count = sql.SQL("SELECT count(*) FROM {table} WHERE cluster_id = %s").format(**parts)

    def ids(self, connection: psycopg.Connection, names: Iterable[str | None]) -> dict[str, int]:
        """The ids of these names; those that are new get a row, or share the last one. Empty names have none."""
        wanted = {name for name in names if name}
        missing = sorted(wanted - self._ids.keys())
        if missing:
            self._learn(connection, missing)
        return {name: self._ids.get(name, self.overflow_id) for name in wanted}

    def take_overflowed(self) -> int:
        """How many names had to share since the last call; one that is seen again counts again."""
        number, self._overflowed = self._overflowed, 0
        return number

    def _learn(self, connection: psycopg.Connection, missing: list[str]) -> None:
        # Only what is absent is added: an INSERT that conflicts still takes a number from the sequence.
        found = self._found(connection, missing)
        absent = [name for name in missing if name not in found]
        if absent and not self._full:
            found |= self._admitted(connection, absent)
            absent = [name for name in absent if name not in found]
        if absent:
            self._add(connection, [self.overflow])
            self.overflow_id = self._found(connection, [self.overflow])[self.overflow]
            self._overflowed += len(absent)
        # The bound on rows is one on memory, too: names past it are not remembered.
        self._ids |= found

    def _admitted(self, connection: psycopg.Connection, names: list[str]) -> dict[str, int]:
        """Ids of those of these names for which there is room; others may have added some meanwhile."""
        with connection.transaction():
            connection.execute(SEES_COMMITS)
            connection.execute(_ALONE, (f"flower {self._table}", self._cluster_id))
            row = connection.execute(self._count, (self._cluster_id,)).fetchone()
            room = max(0, self._most - (row[0] if row else 0))
            self._full = not room
            if room:
                self._add(connection, names[:room])
            return self._found(connection, names)

    def _add(self, connection: psycopg.Connection, names: list[str]) -> None:
        connection.execute(self._insert, (self._cluster_id, names))

    def _found(self, connection: psycopg.Connection, names: list[str]) -> dict[str, int]:
        if self._use is None:
            return dict(connection.execute(self._select, (self._cluster_id, names)).fetchall())
        parameters = {"cluster": self._cluster_id, "names": names, "lease": LEASE}
        return dict(connection.execute(self._use, parameters).fetchall())


# A row whose use is not fresh is given out only once that is said in it: whoever is about to delete it holds it, and is
# waited for.
_USE: LiteralString = """
WITH known AS MATERIALIZED (
  SELECT {name}, id, used_at < now() - %(lease)s AS old FROM {table}
  WHERE cluster_id = %(cluster)s AND {name} = ANY(%(names)s::{kind}[])
), held AS (
  SELECT id FROM {table} WHERE id IN (SELECT id FROM known WHERE old) ORDER BY id FOR NO KEY UPDATE
), used AS (
  UPDATE {table} t SET used_at = greatest(used_at, now()) FROM held WHERE t.id = held.id RETURNING t.{name}, t.id
)
SELECT {name}::text, id FROM known WHERE NOT old UNION ALL SELECT {name}::text, id FROM used
"""

SEES_COMMITS: LiteralString = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
"""Behind the lock the count must see what its last holder committed, whatever the database's default is."""

_ALONE: LiteralString = "SELECT pg_advisory_xact_lock(hashtext(%s), %s)"
