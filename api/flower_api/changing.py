"""Guards of what changes something, beside the gate. The rules and the words are Flower's own (2.2).

And the reading of bodies, for whoever takes a JSON document.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException, PermissionDeniedException, SerializationException
from litestar.handlers import BaseRouteHandler

_Connection = ASGIConnection[Any, Any, Any, Any]


def cross_site(connection: _Connection, _: BaseRouteHandler) -> None:
    """Refuse what a page of another site makes a browser do: it is on this machine, and its user is not asked.

    Flower looked only where somebody had logged in. Who is no browser sends none of these headers.
    """
    headers = connection.headers
    site = headers.get("sec-fetch-site")
    if site and site not in {"same-origin", "none"}:
        raise PermissionDeniedException("Cross-site request forbidden")
    origin = headers.get("origin")
    if origin and not site and _host(origin) != headers.get("host"):
        raise PermissionDeniedException("Cross-origin request forbidden")


def read_only(_: _Connection, __: BaseRouteHandler) -> None:
    """Refuse all of it."""
    raise PermissionDeniedException("Read only mode is enabled")


def readable(field: str) -> Callable[[Request[Any, Any, Any]], Awaitable[None]]:
    """Reads the body of a document with this field (`before_request`).

    Litestar takes a RecursionError of its reader for a defect of ours, and names no body.
    """

    async def read(request: Request[Any, Any, Any]) -> None:
        if not await request.body():
            raise ClientException(f"the body is missing: it is a JSON object with `{field}`")
        try:
            await request.json()
        except RecursionError:
            raise ClientException("the body is nested too deeply") from None
        except SerializationException as error:
            raise ClientException(f"the body cannot be read: {error.__cause__ or error}") from None

    return read


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # half a bracket
        return ""
