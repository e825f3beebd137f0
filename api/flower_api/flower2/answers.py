"""JSON as Tornado sent it: its content type, and an ETag over the body."""

import hashlib
from typing import Any

from litestar import Request, Response

JSON = "application/json; charset=UTF-8"


def json(request: Request[Any, Any, Any], body: bytes, *, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The body, or 304 where the client has it already."""
    # Weak: the same tag stands on the compressed form (RFC 9110 §8.8.1).
    tag = f'W/"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'
    known = {word.strip().removeprefix("W/") for word in request.headers.get("if-none-match", "").split(",")}
    if known & {"*", tag.removeprefix("W/")}:
        return Response(b"", status_code=304, headers={"Etag": tag})
    return Response(body, media_type=JSON, headers={"Etag": tag} | (headers or {}))
