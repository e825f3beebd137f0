"""Errors as pages: in the dashboard's frame, each with a heading of its own and one next step."""

import http
from datetime import UTC, datetime

from litestar.response import Template

from flower_api.problems import AnyRequest, ErrorPage, Problem
from flower_web.addresses import Addresses
from flower_web.frame import Frame

_HEADINGS = {
    http.HTTPStatus.FORBIDDEN: "You may not see this",
    http.HTTPStatus.NOT_FOUND: "Nothing is here",
    http.HTTPStatus.SERVICE_UNAVAILABLE: "The database is away",
    http.HTTPStatus.GATEWAY_TIMEOUT: "This took too long",
}
_AGAIN = {http.HTTPStatus.SERVICE_UNAVAILABLE, http.HTTPStatus.GATEWAY_TIMEOUT}


def error_page(root: str) -> ErrorPage:
    """The error page of an application served under this prefix. It reads nothing: the database may be what failed."""

    def page(request: AnyRequest, problem: Problem) -> Template:
        again = problem.status in _AGAIN
        addresses = Addresses(root)
        context = {
            "frame": Frame(_heading(problem.status), addresses, datetime.now(UTC)),
            "problem": problem,
            "address": _here(request) if again else addresses.home,
            "step": "Try again" if again else "Go to the start page",
        }
        return Template("problem.html", context=context, status_code=problem.status)

    return page


def _heading(status: int) -> str:
    if status in _HEADINGS:
        return _HEADINGS[http.HTTPStatus(status)]
    return "This failed" if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else "This cannot be answered"


def _here(request: AnyRequest) -> str:
    """The address that was asked for, without its host: that one was told by the client."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
