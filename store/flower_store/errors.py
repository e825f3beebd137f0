"""What can go wrong at the store's door.

    StoreError
    ├── Unavailable     trying again helps: connection, failover, lock, deadlock, disk full, corruption
    ├── Rejected        trying again does not help: the data breaks a rule of the database
    └── WrongSchema     this build and the database differ in their revision: a person must act

Driver errors are translated once, here; nothing outside the store sees a driver's class.
"""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import sqlalchemy.exc

_DATA = ("21", "22", "23", "27", "38", "39", "44", "54", "P0")
"""Classes of "PostgreSQL Error Codes" (PostgreSQL manual, appendix A) in which the event may be to blame: cardinality,
data, constraints, triggers and routines of the user's, views' checks, program limits, PL/pgSQL's RAISE.

All others are the server's, the line's or the schema's, and no event is set aside for them: an outage that is taken
for bad data would empty the queue into `set_aside`, while bad data that is taken for an outage is at least still there.
"""

_UNSENT = (psycopg.DataError, psycopg.ProgrammingError, psycopg.NotSupportedError)
"""Without a code: a value that never reached the server, because the driver cannot write it. All else is the line."""


class StoreError(Exception):
    """The root of the store's errors."""


class Unavailable(StoreError):
    """The database cannot do it now; the same call may succeed later."""


class Rejected(StoreError):
    """The database refuses this data for good."""


class WrongSchema(StoreError):
    """The database's revision is not the one that this build needs."""


class StatementTimeout(Unavailable):
    """A statement took longer than it may."""


@contextmanager
def translated() -> Generator[None]:
    """Turn the driver's errors into the store's."""
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        raise translate(error.orig) from error
    except psycopg.Error as error:
        raise translate(error) from error
    except sqlalchemy.exc.TimeoutError as error:
        raise Unavailable("no free database connection in the pool") from error


def translate(error: BaseException | None) -> StoreError:
    """The store's error for a driver's error."""
    text = " ".join(str(error).split())
    if not isinstance(error, psycopg.Error):
        return Rejected(text)
    code = error.sqlstate
    if code == "57014":
        return StatementTimeout(text)
    if code is None:
        return Rejected(text) if isinstance(error, _UNSENT) else Unavailable(text)
    return Rejected(text) if code.startswith(_DATA) else Unavailable(text)
