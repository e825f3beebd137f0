"""How a batch's transaction begins: with limits of its own, on the server and the schema that the writer knows.

Behind a pool in transaction mode, each transaction may run on another connection, and after a failover on another
server, without the client's connection ever breaking. So what is remembered is asked for again each time, in the one
round trip that sets the limits.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
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
  (SELECT count(set_config(name, value, true)) FROM unnest(%s::text[], %s::text[]) AS limits(name, value)), now()
"""


def begin(connection: psycopg.Connection, limits: Mapping[str, str]) -> psycopg.Cursor:
    """Begin, with these limits, and ask where: for `check`."""
    connection.execute("BEGIN")
    return connection.execute(_BEGIN, (list(limits), list(limits.values())))


def check(asked: psycopg.Cursor, *, known: datetime) -> datetime:
    """Go on only where names were looked up: on the server `known`. Returns the server's time.

    Raises Unavailable on another server, which may lack the last of their rows; WrongSchema.
    """
    row = asked.fetchone()
    if row is None or row[0] != known:
        raise errors.Unavailable("the server is another one, or was started again: names are looked up again")
    schema.compare(row[1])
    now: datetime = row[3]
    return now


def commit(connection: psycopg.Connection) -> None:
    """The transaction's last statement. In a pipeline it is not done where one before it failed."""
    connection.execute("COMMIT")


@contextmanager
def undone(connection: psycopg.Connection) -> Generator[None]:
    """Undo the transaction that was begun where something is raised."""
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):  # what was raised says more than that the connection is gone
            connection.rollback()
        raise
