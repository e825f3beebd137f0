"""Error groups as the collector writes them: a bounded dimension, as names, that has counts and a status, too.

A group is one fingerprint (`fingerprint.py`) of a cluster. Its row is made before the batch's transaction, as names
are; until a failure of it is committed it has no times and is shown to nobody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import psycopg

from flower_store import dimensions, moments
from flower_store.fingerprint import Fingerprint

OPEN, RESOLVED, IGNORED = "open", "resolved", "ignored"
STATUSES = (OPEN, RESOLVED, IGNORED)

_OVERFLOW = Fingerprint(dimensions.OVERFLOW, "", "")


@dataclass(slots=True)
class Failures:
    """Failures of one group: how many events, and the first and last time, in microseconds."""

    count: int
    first: int
    last: int


class Groups(dimensions.Dimension):
    """Ids of the groups of one cluster. The connection must be in autocommit mode."""

    kind = "uuid"
    overflow = str(UUID(int=0))

    def __init__(self, cluster_id: int, *, most: int) -> None:
        super().__init__("error_group", "fingerprint", cluster_id, most=most)
        self._of = cluster_id
        self._new: dict[str, Fingerprint] = {}

    def of(self, connection: psycopg.Connection, found: Iterable[Fingerprint]) -> dict[Fingerprint, int]:
        """The ids of these fingerprints' groups; those that are new get a row, or share the last one."""
        keys = {one: str(one.key) for one in set(found)}
        self._new = {key: one for one, key in keys.items()}
        known = self.ids(connection, keys.values())
        self._new = {}
        return {one: known[key] for one, key in keys.items()}

    def _add(self, connection: psycopg.Connection, names: list[str]) -> None:
        described = [self._new.get(name, _OVERFLOW) for name in names]
        texts = ([getattr(one, part) for one in described] for part in ("exception", "message", "frame"))
        connection.execute(_INSERT, (self._of, names, *texts))


def count(cursor: psycopg.Cursor, failures: Mapping[int, Failures]) -> None:
    """Add failures to their groups, in the order of their ids. One that was resolved before the last is open again."""
    ids = sorted(failures)
    ordered = [failures[one] for one in ids]
    cursor.execute(
        _COUNT,
        {
            "ids": ids,
            "counts": [one.count for one in ordered],
            "first": [moments.moment(one.first) for one in ordered],
            "last": [moments.moment(one.last) for one in ordered],
        },
    )


_INSERT: LiteralString = """
INSERT INTO error_group (cluster_id, fingerprint, exception, message, frame)
SELECT %s, u.* FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[]) AS u (fingerprint, exception, message, frame)
ORDER BY fingerprint ON CONFLICT (cluster_id, fingerprint) DO NOTHING
"""

_COUNT: LiteralString = """
WITH failed AS (
  SELECT * FROM unnest(%(ids)s::integer[], %(counts)s::bigint[], %(first)s::timestamptz[], %(last)s::timestamptz[])
    AS f (id, count, first_at, last_at)
), locked AS (
  SELECT id FROM error_group WHERE id = ANY(%(ids)s::integer[]) ORDER BY id FOR NO KEY UPDATE
)
UPDATE error_group g SET count = g.count + f.count,
  first_at = least(g.first_at, f.first_at), last_at = greatest(g.last_at, f.last_at),
  status = CASE WHEN g.status = 'resolved' AND f.last_at > g.changed_at THEN 'open' ELSE g.status END,
  regressed_at = CASE WHEN g.status = 'resolved' AND f.last_at > g.changed_at THEN f.last_at ELSE g.regressed_at END
FROM failed f JOIN locked k ON k.id = f.id WHERE g.id = f.id
"""
