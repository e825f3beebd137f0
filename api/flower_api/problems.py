"""What a client is told when something goes wrong: never a traceback, a statement, or where the database is.

Our own addresses answer with problem details (RFC 9457); `/api/…`, but for `/api/v1/…`, in plain text as Flower did.
"""

import http
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler

from flower_api import rules, wire
from flower_api.access.strangers import Stranger
from flower_api.settings import ApiSettings
from flower_store import errors

AnyRequest = Request[Any, Any, Any]
ErrorPage = Callable[[AnyRequest, "Problem"], Response[Any]]

_log = structlog.get_logger(__name__)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Problem details (RFC 9457 §3.1). `request` is the id under which the log knows of it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    request: str = ""


class Problems:
    """Turns exceptions into responses. `error_page` makes them pages for browsers."""

    def __init__(self, settings: ApiSettings, *, error_page: ErrorPage | None = None) -> None:
        root = settings.root
        self._with_passwords = bool(settings.basic_auth)
        self._api = f"{root}/api/"
        self._native = f"{root}/api/v1/"
        self._plain = frozenset({f"{root}/tasks/datatable", f"{root}/metrics"})
        self._error_page = error_page

    def handle(self, request: AnyRequest, error: Exception) -> Response[Any]:
        """The exception handler of the whole application."""
        problem = _problem(error, request_id=wire.request_id(request.scope), handler=request.scope.get("route_handler"))
        if problem.status == http.HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("request failed", path=request.url.path, request=problem.request, exc_info=error)
        if isinstance(error, Stranger):
            return self._stranger(request, problem)
        return self._response(request, problem, headers=_headers(error))

    def _stranger(self, request: AnyRequest, problem: Problem) -> Response[Any]:
        """As Flower: nothing on its API; on its pages a challenge, for who is no browser and sees no login page."""
        path = request.url.path
        if path.startswith(self._native):
            return self._response(request, problem, headers={})
        if path.startswith(self._api):
            return Response(b"", status_code=problem.status, media_type="text/plain")
        if self._error_page is not None and "text/html" in request.headers.get("accept", ""):
            return self._error_page(request, problem)
        # A browser's script gets none: the browser itself would ask for the password, over the page.
        asked = self._with_passwords and "sec-fetch-mode" not in request.headers
        challenge = {"WWW-Authenticate": 'Basic realm="flower"'} if asked else {}
        return Response(b"Access denied", status_code=problem.status, media_type="text/html", headers=challenge)

    def _response(self, request: AnyRequest, problem: Problem, *, headers: dict[str, str]) -> Response[Any]:
        path = request.url.path
        if path in self._plain or (path.startswith(self._api) and not path.startswith(self._native)):
            return Response(
                problem.detail.encode(errors="replace"),
                status_code=problem.status,
                media_type="text/plain",
                encoding="UTF-8",
                headers=headers,
            )
        page_wanted = not path.startswith(self._native) and "text/html" in request.headers.get("accept", "")
        if self._error_page is not None and page_wanted:
            return self._error_page(request, problem)
        return Response(
            msgspec.json.encode(problem),
            status_code=problem.status,
            media_type="application/problem+json",
            headers=headers,
        )


def _problem(error: Exception, *, request_id: str, handler: BaseRouteHandler | None) -> Problem:
    status, detail = _told(error, handler)
    title = http.HTTPStatus(status).phrase
    return Problem(title=title, status=status, detail=detail, request=request_id)


def _told(error: Exception, handler: BaseRouteHandler | None) -> tuple[int, str]:
    """The status and a sentence that may leave the house."""
    match error:
        case ValidationException():
            return 400, _invalid(error, handler)
        case HTTPException() if error.status_code != http.HTTPStatus.INTERNAL_SERVER_ERROR:
            return error.status_code, error.detail
        case errors.StatementTimeout():
            return 504, "the database took too long for this: ask for less, or for a shorter time"
        case errors.Unavailable():
            return 503, "the database is not available: ask again"
        case errors.WrongSchema():
            return 503, str(error)
        case _:
            return 500, "this failed, and the log of this process says why"


def _invalid(error: ValidationException, handler: BaseRouteHandler | None) -> str:
    """Each field and its rule; Litestar keeps them apart from its sentence."""
    found = [(one["key"], one["message"]) for one in _entries(error.extra)]
    told = [f"{key}: {rules.told(handler, key, message) if handler else message}" for key, message in found]
    return "; ".join(told) or error.detail


def _entries(extra: object) -> list[Mapping[str, str]]:
    entries = extra if isinstance(extra, list) else []
    return [one for one in entries if isinstance(one, Mapping) and {"key", "message"} <= one.keys()]


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, HTTPException):
        return dict(error.headers or {})
    return {"Retry-After": "5"} if isinstance(error, errors.Unavailable) else {}
