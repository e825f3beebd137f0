"""The token of a session that each form brings back: a page of another site cannot know it."""

import hmac
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException

_Connection = ASGIConnection[Any, Any, Any, Any]

FIELD = "csrf"
HEADER = "x-csrf-token"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


async def check(connection: _Connection, expected: str) -> None:
    """Raise PermissionDenied where neither header nor form brings it."""
    given = connection.headers.get(HEADER, "") or await _of_form(connection)
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise PermissionDeniedException("the form is not of this session: load the page again")


async def _of_form(connection: _Connection) -> str:
    if not isinstance(connection, Request) or not connection.headers.get("content-type", "").startswith(_FORMS):
        return ""
    request: Request[Any, Any, Any] = connection
    found = (await request.form()).get(FIELD, "")
    return found if isinstance(found, str) else ""
