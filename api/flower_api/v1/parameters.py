"""What many of our addresses take, declared once: a time from and until, a cursor, a length."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from litestar.exceptions import ClientException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from flower_api.problems import Problem
from flower_store import cursors
from flower_store.cursors import Cursor

MOST = 500

Since = Annotated[str | None, QueryParameter(name="from", description="RFC 3339; without a zone it is UTC")]
Until = Annotated[str | None, QueryParameter(name="until", description="RFC 3339; without a zone it is UTC")]
After = Annotated[str | None, QueryParameter(name="after", description="`next` of the page before")]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=MOST)]


def _problem(description: str) -> ResponseSpec:
    return ResponseSpec(
        Problem, description=description, media_type="application/problem+json", generate_examples=False
    )


REFUSALS = {
    400: _problem("an argument cannot be read"),
    401: _problem("asked from elsewhere than this machine"),
    404: _problem("unknown cluster"),
}


def answered(kind: type, description: str) -> dict[int, ResponseSpec]:
    """The answers of an address, for the reference."""
    return {200: ResponseSpec(kind, description=description, generate_examples=False), **REFUSALS}


def time(name: str, value: str | None) -> datetime | None:
    """The time that an argument names. Without a zone it is UTC."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ClientException(f"{name}: must be a time such as 2026-11-24T10:00:00Z") from None


def window(since: str | None, until: str | None) -> tuple[datetime, datetime]:
    """The interval that is meant: by default the last day; a beginning alone runs to now."""
    end = time("until", until) or datetime.now(UTC)
    begin = time("from", since) or end - timedelta(days=1)
    if begin >= end:
        raise ClientException("from: must be earlier than until")
    return begin, end


def cursor(token: str | None) -> Cursor | None:
    """The place in a list that a token names."""
    try:
        return None if token is None else cursors.parse(token)
    except cursors.BadCursor as error:
        raise ClientException(f"after: {error}") from None
