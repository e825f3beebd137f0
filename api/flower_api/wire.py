"""What every response carries, whatever made it: a request's id, headers of caution, and HEAD for each GET.

It stands round the whole application, because Litestar's own middleware does not see a 404 or a 405.
"""

import re
import time
import uuid
from collections.abc import Iterable

import structlog
from litestar.enums import ScopeType
from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    HTTPScope,
    Message,
    Receive,
    Scope,
    Send,
    WebSocketReceiveMessage,
)

_KEY = "flower_request_id"
_COOKIE = "flower_cookie"
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)

_CAUTION = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),  # addresses hold task names and ids
    (b"x-frame-options", b"DENY"),  # for what does not know frame-ancestors
    (b"cross-origin-opener-policy", b"same-origin"),
)

_log = structlog.get_logger(__name__)


def request_id(scope: Scope) -> str:
    """The id under which the log knows the request: the client's own where it is harmless."""
    found = scope.get(_KEY)
    return found if isinstance(found, str) else ""


def add_cookie(scope: Scope, cookie: str) -> None:
    """Send this `Set-Cookie` with the answer, whatever becomes of the request; a later one of its name goes before."""
    kept: dict[str, str] = scope.setdefault(_COOKIE, {})  # type: ignore[misc]  # as above
    kept[cookie.partition("=")[0]] = cookie


def wrapped(app: ASGIApp, *, log_each: bool = False) -> ASGIApp:
    """The application, with all of that."""

    async def wire(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        identity = _identity(scope["headers"])
        scope[_KEY] = identity  # type: ignore[literal-required]  # ASGI lets a server and its layers add keys
        began = time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*_with_caution(message["headers"], identity), _timing(began), *_cookie(scope)]
                if log_each:
                    _log.info("request", method=scope["method"], path=scope["path"], status=message["status"])
            await send(message)

        if scope["method"] == "HEAD":
            await _head(app, scope, receive, sending)
        else:
            await app(scope, receive, sending)

    return wire


async def _head(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
    """Answer HEAD as GET without its body (RFC 9110 §9.3.2); a stream ends with its head."""
    done = False

    async def sending(message: Message) -> None:
        nonlocal done
        if message["type"] == "http.response.start":
            await send(message)
        elif not done:
            done = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receiving() -> HTTPReceiveMessage | WebSocketReceiveMessage:
        return {"type": "http.disconnect"} if done else await receive()

    scope["method"] = "GET"
    await app(scope, receiving, sending)


def _timing(began: float) -> tuple[bytes, bytes]:
    """How long the server took to the first byte (W3C Server Timing), in milliseconds."""
    return b"server-timing", b"total;dur=%.1f" % ((time.perf_counter() - began) * 1_000)


def _cookie(scope: Scope) -> list[tuple[bytes, bytes]]:
    kept: dict[str, str] = scope.get(_COOKIE, {})  # type: ignore[assignment]  # as above
    return [(b"set-cookie", one.encode()) for one in kept.values()]


def _identity(headers: Iterable[tuple[bytes, bytes]]) -> str:
    given = next((value for name, value in headers if name == b"x-request-id"), b"")
    return given.decode() if _GIVEN.fullmatch(given) else uuid.uuid4().hex


def _with_caution(headers: Iterable[tuple[bytes, bytes]], identity: str) -> list[tuple[bytes, bytes]]:
    """Ours are added, not forced: the API's reference page needs a policy of its own."""
    present = {name.lower() for name, _ in headers}
    added = [header for header in _CAUTION if header[0] not in present]
    return [*headers, *added, (b"x-request-id", identity.encode())]
