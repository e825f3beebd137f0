"""Who may use `/api/…`: this machine alone, unless the operator opened it. Flower's own words for everybody else."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler

from flower_api.settings import is_loopback

CLOSED = "FLOWER_UNAUTHENTICATED_API environment variable is required to enable API without authentication"

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def closed(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard that lets only this machine through."""
    if not _local(connection):
        raise NotAuthorizedException(CLOSED)


def _local(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Asked from here, and not through a proxy: behind one on this machine the whole world seems to be here."""
    if any(name in connection.headers for name in _FORWARDED):
        return False
    return connection.client is None or is_loopback(connection.client.host)
