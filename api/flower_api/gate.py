"""Who is answered: this machine alone, unless the operator opened it. Flower's own words for everybody else.

The API, the pages and the event stream stand behind it; health does not.
"""

from typing import Any
from urllib.parse import urlsplit

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
    """Asked from here, under a name of this machine, and not through a proxy.

    Behind a proxy on this machine the whole world seems to be here. And a page of a stranger's may make his own name
    point at this machine (DNS rebinding): the browser then asks from here, but for that name.
    """
    if any(name in connection.headers for name in _FORWARDED) or not _named_local(connection.headers.get("host", "")):
        return False
    return connection.client is None or is_loopback(connection.client.host)


def _named_local(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or "localhost"  # HTTP/1.0 need not say
    except ValueError:  # half a bracket
        return False
    return name.endswith(".localhost") or is_loopback(name)
