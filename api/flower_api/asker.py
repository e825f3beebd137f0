"""Who asks for something to be done, and from where: what the log of commands says of it."""

from typing import Any

from litestar.connection import ASGIConnection

from flower_api import wire
from flower_api.access import principal as principals
from flower_api.access import proxies

_Connection = ASGIConnection[Any, Any, Any, Any]

MAX_REASON = 1_000
"""Characters of a reason."""


def actor(request: _Connection) -> str:
    """The name of whoever asks."""
    return principals.of(request).name


def origin(request: _Connection) -> str:
    """The address that asked, by which way, and the request's id in the log.

    A trusted proxy is named behind the address that it tells; what another one says is its own word.
    """
    client = request.client.host if request.client else "a local socket"
    proxy = proxies.of(request.scope)
    forwarded = request.headers.get("x-forwarded-for", "")[:200]
    said = f" through {proxy}" if proxy else f", for {forwarded} by its own word" if forwarded else ""
    way = principals.of(request).via
    return ", ".join(filter(None, (f"{client}{said}", way, f"request {wire.request_id(request.scope)}")))
