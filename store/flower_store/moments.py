"""Times as whole microseconds since the Unix epoch, which is what the write path compares, counts and copies.

A `datetime` costs several times as much to make, to compare and to write down, and each event would need six.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400


def micros(at: datetime) -> int:
    """The microseconds of an aware time."""
    since = at - _EPOCH
    return (since.days * _DAY + since.seconds) * SECOND + since.microseconds


def moment(at: int) -> datetime:
    """The time, in UTC."""
    return _EPOCH + timedelta(microseconds=at)


POSTGRES_EPOCH: Final = micros(datetime(2000, 1, 1, tzinfo=UTC))
"""From where PostgreSQL counts the microseconds of a `timestamptz` in its binary form."""
