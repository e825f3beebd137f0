"""How often somebody may try to get in, counted in the database for all replicas together.

An attempt is counted before it is looked at, in one statement, so that many at once do not slip through; one that
was right is taken back. What is counted is kept as a digest: people type passwords into the field for names.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

WINDOW = timedelta(minutes=5)
"""Attempts are counted from the first one for so long, then forgotten."""


async def count(connection: AsyncConnection, keys: Mapping[str, int]) -> int:
    """Count one attempt for each key, which may have so many in the window; how many seconds too early it is, or 0.

    Committed when this returns. Raises Unavailable.
    """
    most = {_digest(key): limit for key, limit in keys.items()}
    await connection.execute(_FORGET, {"window": WINDOW})
    rows = await connection.execute(_COUNT, {"keys": sorted(most), "window": WINDOW})
    late = [int(left) + 1 for key, number, left in rows if number > most[bytes(key)]]
    await connection.commit()
    return max(late, default=0)


async def late(connection: AsyncConnection, keys: Mapping[str, int]) -> int:
    """How many seconds too early the next attempt would be, or 0; counts nothing."""
    most = {_digest(key): limit for key, limit in keys.items()}
    rows = await connection.execute(_LOOK, {"keys": sorted(most), "window": WINDOW})
    return max((int(left) + 1 for key, number, left in rows if number >= most[bytes(key)]), default=0)


async def take_back(connection: AsyncConnection, keys: Mapping[str, int]) -> None:
    """The attempt was right. Committed when this returns."""
    await connection.execute(_TAKE_BACK, {"keys": sorted(map(_digest, keys))})
    await connection.commit()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


_FORGET = text("""
DELETE FROM access_attempt WHERE key IN (
  SELECT key FROM access_attempt WHERE since < clock_timestamp() - CAST(:window AS interval)
  ORDER BY key LIMIT 100 FOR UPDATE SKIP LOCKED
)
""")

# The keys are in order, so that two attempts never wait for each other's second key.
_COUNT = text("""
INSERT INTO access_attempt AS a (key, since, count)
SELECT key, clock_timestamp(), 1 FROM unnest(CAST(:keys AS bytea[])) AS given(key) ORDER BY key
ON CONFLICT (key) DO UPDATE SET
  since = CASE WHEN a.since < clock_timestamp() - CAST(:window AS interval) THEN excluded.since ELSE a.since END,
  count = CASE WHEN a.since < clock_timestamp() - CAST(:window AS interval) THEN 1 ELSE least(a.count + 1, 1000000) END
RETURNING key, count, extract(epoch FROM since + CAST(:window AS interval) - clock_timestamp())
""")

_LOOK = text("""
SELECT key, count, extract(epoch FROM since + CAST(:window AS interval) - clock_timestamp()) FROM access_attempt
WHERE key = ANY(CAST(:keys AS bytea[])) AND since > clock_timestamp() - CAST(:window AS interval)
""")

_TAKE_BACK = text("""
UPDATE access_attempt SET count = greatest(count - 1, 0)
WHERE key IN (SELECT key FROM access_attempt WHERE key = ANY(CAST(:keys AS bytea[])) ORDER BY key FOR UPDATE)
""")
