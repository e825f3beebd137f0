"""Query arguments as Flower 2.2 read them: its conversions and its messages (its `get_argument`, and Tornado's)."""

import math
import re
from collections.abc import Mapping
from datetime import datetime

from litestar.exceptions import ClientException

from flower_store import flower_query
from flower_store.flower_query import BadQuery, Expression

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})
_FARTHEST = 2**31
_LARGEST = 2**63 - 1
"""What JSON's readers take as a whole number."""
_SMALLER = 2**31 - 1
_MINUTE = "%Y-%m-%d %H:%M"
SORTS = frozenset({"name", "state", "received", "started"})


def text(value: str | None) -> str | None:
    """A text without control characters and outer spaces; None where it is empty or was not given."""
    return _CONTROL.sub(" ", value).strip() or None if value is not None else None


def choice(value: str | None) -> str | None:
    """A filter; the word All is none."""
    found = text(value)
    return None if found == "All" else found


def integer(value: str | None, default: int | None = None) -> int | None:
    """A whole number."""
    if value is None:
        return default
    try:
        return int(_stripped(value))
    except ValueError:
        raise _invalid(value, "int") from None


def required(given: Mapping[str, str], name: str) -> int:
    """A whole number that must be there."""
    value = given.get(name)
    if value is None or not _stripped(value):
        raise ClientException(f"Missing argument {name}")
    number = int(integer(value) or 0)
    if abs(number) > _LARGEST:
        raise _invalid(value, "int")
    return number


def offset(number: int | None) -> int:
    """How many to pass over; there is never more than the database can count."""
    return min(max(number or 0, 0), _FARTHEST)


def small(value: str | None, default: int | None = None) -> int | None:
    """A whole number that every machine has room for."""
    found = integer(value, default)
    if found is not None and abs(found) > _SMALLER:
        raise _invalid(value or "", "int")
    return found


def number(value: str | None) -> float | None:
    """A number."""
    if value is None:
        return None
    try:
        found = float(_stripped(value))
    except ValueError:
        raise _invalid(value, "float") from None
    if not math.isfinite(found):
        raise _invalid(value, "float")
    return found


def flag(value: str | None) -> bool:
    """A yes or no."""
    if value is None:
        return False
    word = _stripped(value).lower()
    if word not in _TRUE | _FALSE:
        raise _invalid(value, "bool")
    return word in _TRUE


def minute(value: str | None) -> datetime | None:
    """A time to the minute in this machine's time zone, as Flower took it."""
    found = text(value)
    if found is None:
        return None
    try:
        return datetime.strptime(found, _MINUTE).astimezone()
    except (ValueError, OverflowError, OSError):
        raise ClientException("Invalid received_start or received_end, expected format 'YYYY-MM-DD HH:MM'") from None


def search(value: str | None) -> tuple[Expression | None, str]:
    """The query that a text is, or what is wrong with it: where that is said differs by address."""
    try:
        return flower_query.parse(text(value) or ""), ""
    except BadQuery as error:
        return None, str(error)


def order(value: str | None) -> tuple[str, bool]:
    """What to sort by, and whether descending. Flower strips every leading hyphen."""
    found = text(value)
    if found is None:
        return "seen", True
    if found.lstrip("-") not in SORTS:
        raise ClientException(f"Invalid sort_by '{found}', expected one of {', '.join(sorted(SORTS))}")
    return found.lstrip("-"), found.startswith("-")


def _stripped(value: str) -> str:
    return text(value) or ""


def _invalid(value: str, kind: str) -> ClientException:
    return ClientException(f"Invalid argument '{_stripped(value)}' of type '{kind}'")
