"""`ETag` on each whole answer of ours, and 304 where the client has it already."""

import gzip
import hashlib

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

_OK = 200


def etagged(app: ASGIApp) -> ASGIApp:
    """The application whose answers in one piece bear a tag; streams pass as they are."""

    async def tagging(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "GET":
            await app(scope, receive, send)
            return
        known = _known(dict(scope["headers"]).get(b"if-none-match", b""))
        held: HTTPResponseStartEvent | None = None

        async def sending(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and message["status"] == _OK:
                held = message
                return
            if message["type"] == "http.response.body" and held is not None:
                start, held = held, None
                if not message.get("more_body"):
                    await _send_tagged(send, start, message["body"], known)
                    return
                await send(start)
            await send(message)

        await app(scope, receive, sending)

    return tagging


async def _send_tagged(send: Send, start: HTTPResponseStartEvent, body: bytes, known: frozenset[bytes]) -> None:
    # Weak: the same tag stands on the compressed form (RFC 9110 §8.8.1), which has the time at which it was made in it.
    told = gzip.decompress(body) if (b"content-encoding", b"gzip") in start["headers"] else body
    tag = b'"%s"' % hashlib.sha1(told, usedforsecurity=False).hexdigest().encode()
    headers = [*start["headers"], (b"etag", b"W/" + tag), (b"cache-control", b"no-cache")]
    if known & {b"*", tag}:
        kept = [(name, value) for name, value in headers if name not in {b"content-length", b"content-type"}]
        await send({"type": "http.response.start", "status": 304, "headers": kept})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    await send({"type": "http.response.start", "status": _OK, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _known(header: bytes) -> frozenset[bytes]:
    return frozenset(word.strip().removeprefix(b"W/") for word in header.split(b",") if word.strip())
