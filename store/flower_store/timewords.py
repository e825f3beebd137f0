"""Times as people write them: `-15m`, `now`, `today`, `yesterday`, or ISO 8601; without a zone it is UTC."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
"""Seconds of each unit of a length of time."""

RULE: Final = "must be a time such as 2026-11-24T10:00:00Z, -15m, -6h, -2d, today, yesterday or now"

TOO_LONG_AGO: Final = "must be at most 36500d (100 years) ago"
OUT_OF_RANGE: Final = "must lie in the years 1 to 9999, in UTC"

_RELATIVE = re.compile(r"-([0-9]+(?:\.[0-9]+)?)(ms|[smhd])")
_LONGEST = 36_500 * UNITS["d"]


class BadTime(ValueError):
    """The text names no time; the message is the rule that it breaks."""


def parse(text: str, now: datetime) -> datetime:
    """The moment that a text names, in UTC. Raises BadTime."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match text.casefold():
        case "now":
            return now
        case "today":
            return today
        case "yesterday":
            return today - timedelta(days=1)
        case _:
            found = _RELATIVE.fullmatch(text.casefold())
            return _absolute(text) if found is None else _ago(now, float(found[1]) * UNITS[found[2]])


def _ago(now: datetime, seconds: float) -> datetime:
    if seconds > _LONGEST:
        raise BadTime(TOO_LONG_AGO)
    return now - timedelta(seconds=seconds)


def _absolute(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except ValueError:
        raise BadTime(RULE) from None
    except OverflowError:
        raise BadTime(OUT_OF_RANGE) from None
