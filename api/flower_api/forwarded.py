"""What trusted proxies say of a request: for whom, by which scheme, host and prefix.

`X-Forwarded-For`, `-Proto`, `-Host`, `-Prefix`, or `Forwarded` (RFC 7239). From anybody else they change nothing.
uvicorn's ProxyHeadersMiddleware knows the first two alone, trusts nobody on a Unix socket and no IPv4 address in IPv6's
form, and takes any text for an address.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from flower_api.access import proxies
from flower_api.access.proxies import Trusted
from flower_api.settings import ApiSettings

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Hop:
    """What one proxy said; empty where it did not."""

    client: str = ""
    scheme: str = ""
    host: str = ""


def wrapped(app: ASGIApp, settings: ApiSettings) -> ASGIApp:
    """The application, as the client sees it."""
    if not settings.trusted_proxies:
        return app
    trusted = proxies.parsed(settings.trusted_proxies)
    read: Callable[[HTTPScope], Sequence[Hop]] = _x_forwarded if settings.xheaders else _nothing
    if settings.forwarded:
        read = _forwarded

    async def believing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and trusted.peer(scope["client"]):
            proxies.note(scope, scope["client"][0] if scope["client"] else proxies.UNIX)
            _apply(scope, read(scope), trusted)
            if settings.xheaders:
                _put_back(scope, settings.root)
        await app(scope, receive, send)

    return believing


def _apply(scope: HTTPScope, hops: Sequence[Hop], trusted: Trusted) -> None:
    """Go back from the nearest proxy to the first address that is none of ours; all before it may be invented."""
    said = Hop()
    for said in reversed(hops):
        found = proxies.address(said.client)
        if found is None:
            break
        scope["client"] = (str(found), 0)
        if not trusted.address(found):
            break
    if said.scheme.lower() in {"http", "https"}:
        scope["scheme"] = said.scheme.lower()
    if _HOST.fullmatch(said.host):
        scope["headers"] = [
            *(header for header in scope["headers"] if header[0] != b"host"), (b"host", said.host.encode())
        ]  # fmt: skip


def _x_forwarded(scope: HTTPScope) -> Sequence[Hop]:
    """Lists are as long as the way, or hold the first proxy's word alone."""
    clients, schemes, hosts = (_words(scope, b"x-forwarded-" + name) for name in (b"for", b"proto", b"host"))
    back = range(max(1, len(clients)), 0, -1)
    return [Hop(_back(clients, one), _back(schemes, one), _back(hosts, one)) for one in back]


def _back(words: Sequence[str], count: int) -> str:
    return words[-min(count, len(words))] if words else ""


def _forwarded(scope: HTTPScope) -> Sequence[Hop]:
    """What we read holds no comma (RFC 7239 §6): what a client wrote cannot swallow what a proxy added."""
    return [_element(word) for word in _words(scope, b"forwarded")]


def _element(text: str) -> Hop:
    pairs = {
        name.strip().lower(): value.strip().strip('"')
        for name, _, value in (one.partition("=") for one in text.split(";"))
    }
    return Hop(pairs.get("for", ""), pairs.get("proto", ""), pairs.get("host", ""))


def _nothing(_: HTTPScope) -> Sequence[Hop]:
    return ()


def _words(scope: HTTPScope, header: bytes) -> Sequence[str]:
    whole = b",".join(value for name, value in scope["headers"] if name == header).decode("latin-1")
    return [word.strip() for word in whole.split(",")] if whole.strip() else []


def _put_back(scope: HTTPScope, root: str) -> None:
    """The prefix that a proxy took away: it must be ours, because nobody else may say where our links lead."""
    (said, *more) = _words(scope, b"x-forwarded-prefix") or [""]
    path = scope["path"]
    if root and not more and said.rstrip("/") == root and path != root and not path.startswith(f"{root}/"):
        scope["path"] = root + path
        scope["raw_path"] = root.encode() + scope["raw_path"]
