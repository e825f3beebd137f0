"""How a batch's transaction begins: with limits of its own, on the server and the schema that the writer knows.

Behind a pool in transaction mode, each transaction may run on another connection, and after a failover on another
server, without the client's connection ever breaking. So what is remembered is asked for again each time, in the one
round trip that sets the limits.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import psycopg

from flower_store import errors, schema

UNKNOWN = datetime.min.replace(tzinfo=UTC)
"""No server."""

_SERVER = "SELECT pg_postmaster_start_time()"


def server(connection: psycopg.Connection) -> datetime:
    """Which server this is: its start to the microsecond, which a standby that was promoted does not share."""
    row = connection.execute(_SERVER).fetchone()
    found: datetime = row[0] if row else UNKNOWN
    return found


_BEGIN = """
SELECT pg_postmaster_start_time(), (SELECT max(version_num) FROM alembic_version),
  (SELECT count(set_config(name, value, true)) FROM unnest(%s::text[], %s::text[]) AS limits(name, value))
"""


def begin(cursor: psycopg.Cursor, limits: Mapping[str, str], *, known: datetime) -> None:
    """Set the limits of this transaction; `known` is the server on which ids were looked up.

    Raises Unavailable on another server, which may lack the last of their rows; WrongSchema.
    """
    row = cursor.execute(_BEGIN, (list(limits), list(limits.values()))).fetchone()
    if row is None or row[0] != known:
        raise errors.Unavailable("the server is another one, or was started again: names are looked up again")
    schema.compare(row[1])
