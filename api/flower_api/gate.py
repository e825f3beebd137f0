"""Who is answered where no access is configured: this machine alone, unless the operator opened it."""

from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

from flower_api.settings import is_loopback

CLOSED = "FLOWER_UNAUTHENTICATED_API environment variable is required to enable API without authentication"
"""Flower's own words for everybody else."""

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def local(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Asked from here, under a name of this machine, and not through a proxy.

    Behind a proxy on this machine the whole world seems to be here. And a page of a stranger's may make his own name
    point at this machine (DNS rebinding): the browser then asks from here, but for that name.
    """
    if any(name in connection.headers for name in _FORWARDED) or not named_local(connection.headers.get("host", "")):
        return False
    return connection.client is None or is_loopback(connection.client.host)


def named_local(host: str) -> bool:
    """Whether a Host header names this machine."""
    try:
        name = urlsplit(f"//{host}").hostname or "localhost"  # HTTP/1.0 need not say
    except ValueError:  # half a bracket
        return False
    return name.endswith(".localhost") or is_loopback(name)
