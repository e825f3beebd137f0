"""What many of our addresses take, declared once: a time from and until, a cursor, a length, some of several words."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Annotated

from litestar.exceptions import ClientException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from flower_api.problems import Problem
from flower_store import cursors, timewords
from flower_store.cursors import Cursor
from flower_store.reads import buckets

MOST = 500
LONGEST = 1_000
"""Characters of a name or an id in an argument; Celery's own are shorter by far."""

_FIRST, _LAST = datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_TIME = "RFC 3339, without a zone it is UTC; or -15m, -6h, -2d, today, yesterday, now"
Since = Annotated[str | None, QueryParameter(name="from", description=_TIME)]
Until = Annotated[str | None, QueryParameter(name="until", description=_TIME)]
After = Annotated[str | None, QueryParameter(name="after", description="`next` of the page before")]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=MOST)]
Fields = Annotated[str | None, QueryParameter(name="fields", description="of each object only these, comma between")]


def problem(description: str) -> ResponseSpec:
    """A refusal, for the reference."""
    return ResponseSpec(
        Problem, description=description, media_type="application/problem+json", generate_examples=False
    )


REFUSALS = {
    400: problem("an argument cannot be read"),
    401: problem("asked from elsewhere than this machine"),
    404: problem("unknown cluster"),
}


def answered(kind: type, description: str) -> dict[int, ResponseSpec]:
    """The answers of an address, for the reference."""
    return {200: ResponseSpec(kind, description=description, generate_examples=False), **REFUSALS}


def time(name: str, value: str | None, now: datetime | None = None) -> datetime | None:
    """The time that an argument names, absolute or relative to now. Without a zone it is UTC."""
    if value is None:
        return None
    try:
        return timewords.parse(value, now or datetime.now(UTC))
    except timewords.BadTime as error:
        raise ClientException(f"{name}: {error}") from None


def window(
    since: str | None,
    until: str | None,
    *,
    length: timedelta = timedelta(days=1),
    longest: timedelta | None = None,
    now: datetime | None = None,
) -> tuple[datetime, datetime]:
    """The interval that is meant: by default the last day; a beginning alone runs to now."""
    now = now or datetime.now(UTC)
    begin, end = times(since, until, now)
    end = _steppable("until", end or now)
    begin = _steppable("from", begin or end - length)
    if begin >= end:
        raise ClientException("from: must be earlier than now, where no until is given")
    if longest is not None and end - begin > longest:
        raise ClientException(f"from: must be at most {longest.days} days before until")
    return begin, end


def times(since: str | None, until: str | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    """The ends of an interval that may be open."""
    begin, end = time("from", since, now), time("until", until, now)
    if begin is not None and end is not None and begin >= end:
        raise ClientException("from: must be earlier than until")
    return begin, end


def _steppable(name: str, at: datetime) -> datetime:
    """A time that can be moved to the beginning or the end of its step, of a week at most."""
    if not _FIRST <= at < _LAST:
        raise ClientException(f"{name}: must lie in the years {_FIRST.year} to {_LAST.year - 1}, in UTC")
    return at


def text(name: str, value: str | None, *, longest: int = LONGEST) -> str | None:
    """A text that the database can hold; None where it is empty or was not given."""
    if not value:
        return None
    if "\0" in value:
        raise ClientException(f"{name}: must not hold a NUL character")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ClientException(f"{name}: must be text in UTF-8")
    if len(value) > longest:
        raise ClientException(f"{name}: must have at most {longest:,} characters")
    return value


def choices(name: str, given: str | None, known: Collection[str]) -> tuple[str, ...]:
    """Words of a bounded set, commas between; none where none is given."""
    wanted = tuple(part.strip() for part in (given or "").split(",") if part.strip())
    for part in wanted:
        if part not in known:
            raise ClientException(f"{name}: {part[:LONGEST]!r} is none of {', '.join(known)}")
    return wanted


def interval(
    since: str | None, until: str | None, *, length: timedelta = timedelta(days=1), longest: timedelta
) -> tuple[datetime, datetime]:
    """The same, with its ends moved to where counts are kept for."""
    now = datetime.now(UTC)
    begin, end = window(since, until, length=length, longest=longest, now=now)
    return buckets.interval(begin, end, now)


def text_cursor(token: str | None) -> str | None:
    """The place that a token names in a list ordered by a text."""
    try:
        return None if token is None else cursors.parse_text(token)
    except cursors.BadCursor as error:
        raise ClientException(f"after: {error}") from None


def cursor(token: str | None) -> Cursor | None:
    """The place in a list that a token names."""
    try:
        return None if token is None else cursors.parse(token)
    except cursors.BadCursor as error:
        raise ClientException(f"after: {error}") from None
