"""Refusal of what a page of another site makes a browser do. The rules and the words are Flower's own (2.2).

Flower looked only where somebody had logged in. Who is no browser sends none of these headers.
"""

from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException


def check(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raise PermissionDenied for another site: it is on this machine, and its user is not asked."""
    headers = connection.headers
    site = headers.get("sec-fetch-site")
    if site and site not in {"same-origin", "none"}:
        raise PermissionDeniedException("Cross-site request forbidden")
    origin = headers.get("origin")
    if origin and not site and _host(origin) != headers.get("host"):
        raise PermissionDeniedException("Cross-origin request forbidden")


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # half a bracket
        return ""
