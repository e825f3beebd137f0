"""What can go wrong at the store's door.

    StoreError
    ├── Unavailable     trying again helps: connection, failover, lock, deadlock, disk full, time-out
    ├── Rejected        trying again does not help: the data breaks a rule of the database
    └── WrongSchema     this build and the database differ in their revision: a person must act

Driver errors are translated once, here; nothing outside the store sees a driver's class.
"""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import sqlalchemy.exc

# Classes and codes of "PostgreSQL Error Codes" (PostgreSQL manual, appendix A) after which the same transaction can
# succeed: 08 connection, 25006 read-only (a standby after a failover), 40 serialization and deadlock, 42 a column or a
# right is missing (somebody mends that, and no event is to blame), 53 resources (disk full, too many connections),
# 55 lock not available, 57 operator intervention (statement time-out, shutdown, starting up), 58 system error, 3D and
# 28 while a server is being set up.
_RETRYABLE_CLASSES = ("08", "40", "42", "53", "55", "57", "58", "28", "3D")
_READ_ONLY = "25006"


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
    if code is None or code == _READ_ONLY or code.startswith(_RETRYABLE_CLASSES):
        # No code: the connection broke before the server could answer, or the value never reached it.
        return Rejected(text) if isinstance(error, psycopg.DataError) else Unavailable(text)
    return Rejected(text)
