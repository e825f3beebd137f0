"""Who asks for something to be done, and from where: what the log of commands says of it."""

from typing import Any

from litestar import Request

from flower_api import wire

ANONYMOUS = "anonymous"
"""Who asks, as long as nobody can log in."""

MAX_REASON = 1_000
"""Characters of a reason."""


def origin(request: Request[Any, Any, Any]) -> str:
    """The address that asked, the one that a proxy says it asked for, and the request's id in the log."""
    client = request.client.host if request.client else "a local socket"
    forwarded = request.headers.get("x-forwarded-for", "")[:200]
    said = f", for {forwarded} by its own word" if forwarded else ""
    return f"{client}{said}, request {wire.request_id(request.scope)}"
