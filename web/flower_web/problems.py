"""Errors as pages: in the dashboard's frame, each with a heading of its own and one next step."""

import http
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from litestar import Response
from litestar.response import Redirect, Template

from flower_api import gate
from flower_api.access import principal
from flower_api.access.permissions import Permission
from flower_api.problems import AnyRequest, ErrorPage, Problem
from flower_api.reads import DEFAULT
from flower_api.settings import ApiSettings
from flower_web.addresses import Addresses
from flower_web.frame import Frame

_HEADINGS = {
    http.HTTPStatus.FORBIDDEN: "You may not see this",
    http.HTTPStatus.NOT_FOUND: "Nothing is here",
    http.HTTPStatus.SERVICE_UNAVAILABLE: "The database is away",
    http.HTTPStatus.GATEWAY_TIMEOUT: "This took too long",
}
_AGAIN = {http.HTTPStatus.SERVICE_UNAVAILABLE, http.HTTPStatus.GATEWAY_TIMEOUT}
_NAMED = re.compile(r"/c/([^/]+)/")


def error_page(settings: ApiSettings) -> ErrorPage:
    """The error page of an application served under this prefix. It reads nothing: the database may be what failed."""

    def page(request: AnyRequest, problem: Problem) -> Response[Any]:
        if settings.has_login and problem.status == http.HTTPStatus.UNAUTHORIZED and _by_hand(request):
            return Redirect(Addresses(settings.root).login(_here(request)), status_code=302)
        again = problem.status in _AGAIN
        known = _known(request, settings)
        addresses = Addresses(settings.root, _cluster(request.url.path.removeprefix(settings.root), known))
        context = {
            "frame": Frame(_heading(problem.status), addresses, datetime.now(UTC), clusters=known, live=False),
            "problem": problem,
            "address": _here(request) if again else addresses.home,
            "step": "Try again" if again else "Go to the start page",
        }
        return Template("problem.html", context=context, status_code=problem.status)

    return page


def remember(request: AnyRequest, slugs: Sequence[str]) -> None:
    """Keep the clusters' names for error pages."""
    before: tuple[str, ...] = request.app.state.get("clusters", ())
    # Whoever sees fewer must not make the others forget theirs; which of them are shown is decided on each page.
    request.app.state.clusters = tuple(sorted({*before, *slugs}))


def _known(request: AnyRequest, settings: ApiSettings) -> tuple[str, ...]:
    """Those that whoever asks may see."""
    known: tuple[str, ...] = request.app.state.get("clusters", ())
    who = principal.of(request)
    # An address that is not there is answered before anybody is asked who they are.
    if not settings.access_configured and (settings.unauthenticated_api or gate.local(request)):
        return known
    return tuple(one for one in known if who.may(Permission.READ, one))


def _cluster(path: str, known: Sequence[str]) -> str:
    """The cluster that the address names, or else the one that is meant without a name; empty where none is known."""
    named = _NAMED.match(path)
    if named and (named[1] in known or not known):
        return named[1]
    return DEFAULT if DEFAULT in known else next(iter(known), "")


def _heading(status: int) -> str:
    if status in _HEADINGS:
        return _HEADINGS[http.HTTPStatus(status)]
    return "This failed" if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else "This cannot be answered"


def _by_hand(request: AnyRequest) -> bool:
    """Whether a reader goes to the page; what a script asks for must not become the login page."""
    return request.method == "GET" and request.headers.get("sec-fetch-mode", "navigate") == "navigate"


def _here(request: AnyRequest) -> str:
    """The address that was asked for, without its host: that one was told by the client."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
