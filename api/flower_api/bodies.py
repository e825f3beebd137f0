"""The reading of bodies, for whoever takes a JSON document."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import ClientException, SerializationException
from litestar.handlers import BaseRouteHandler

from flower_api import rules


def readable(field: str) -> Callable[[Request[Any, Any, Any]], Awaitable[None]]:
    """Reads the body of a document with this field (`before_request`).

    Litestar takes a RecursionError of its reader for a defect of ours, and names no body. And what it reads as a number
    or as a yes or no in an address, it would read so in a document, too: "2" for 2, 0 for false.
    """

    async def read(request: Request[Any, Any, Any]) -> None:
        if not await request.body():
            raise ClientException(f"the body is missing: it is a JSON object with `{field}`")
        try:
            _check(await request.json(), request.route_handler)
        except RecursionError:
            raise ClientException("the body is nested too deeply") from None
        except SerializationException as error:
            raise ClientException(f"the body cannot be read: {error.__cause__ or error}") from None

    return read


def _check(body: object, handler: BaseRouteHandler) -> None:
    """Raise ClientException with field and rule, where a value is of another type than the document's."""
    try:
        msgspec.convert(body, handler.parsed_fn_signature.parameters["data"].annotation)
    except msgspec.ValidationError as error:
        rule, _, place = str(error).partition(" - at `$.")
        field = re.split(r"[.\[`]", place)[0] or "data"
        raise ClientException(f"{field}: {rules.told(handler, field, rule)}") from None
