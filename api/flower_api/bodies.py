"""The reading of bodies, for whoever takes a JSON document."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.exceptions import ClientException, SerializationException


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
