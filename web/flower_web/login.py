"""The way in by a page, and the way out."""

from dataclasses import dataclass

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException, TooManyRequestsException
from litestar.response import Redirect, Template

from flower_api.access import destination, form_token
from flower_api.access.entry import Entry
from flower_web.addresses import Addresses
from flower_web.frame import Frame
from flower_web.given import GivenNow, GivenSettings

_AnyRequest = Request[object, object, State]
GivenEntry = NamedDependency[Entry]

_LONGEST = 1_000
"""Characters of a name or a password."""

WRONG = "The name or the password is wrong."
NOT_KEPT = (
    "This page was reached without TLS, so the browser would not keep the session. Use https, or start Flower with "
    "--insecure-cookies."
)


@dataclass(frozen=True, slots=True)
class LoginPage:
    """What the form shows again; never the password."""

    action: str
    next: str
    name: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class LogoutPage:
    """Who is to be logged out; empty where nobody is logged in."""

    action: str
    login: str
    name: str = ""
    token: str = ""


@get("/login", include_in_schema=False)
async def login(
    request: _AnyRequest, entry: GivenEntry, api_settings: GivenSettings, now: GivenNow
) -> Template | Redirect:
    """The form; who has come in already goes on."""
    _configured(entry)
    to = destination.confined(request.query_params.get("next", ""), root=api_settings.root)
    if await entry.sessions.found(request) is not None:
        return Redirect(to, status_code=303)
    return _form(Addresses(api_settings.root), now, next_page=to)


@post("/login", include_in_schema=False)
async def enter(
    request: _AnyRequest, entry: GivenEntry, api_settings: GivenSettings, now: GivenNow
) -> Template | Redirect:
    """A session for the right words. It is always a new one: a cookie that somebody slipped in opens nothing."""
    _configured(entry)
    form = await request.form()
    name, password, wanted = (str(form.get(field, "")) for field in ("username", "password", "next"))
    to = destination.confined(wanted, root=api_settings.root)
    addresses = Addresses(api_settings.root)

    def again(trouble: str, status: int, headers: dict[str, str] | None = None) -> Template:
        return _form(addresses, now, next_page=to, name=name, trouble=trouble, status=status, headers=headers)

    if not entry.sessions.kept(request):
        return again(NOT_KEPT, 400)
    if len(name) > _LONGEST or len(password) > _LONGEST:
        return again(WRONG, 401)
    try:
        session = await entry.login(request, name, password)
    except TooManyRequestsException as error:
        return again(f"{error.detail[:1].upper()}{error.detail[1:]}.", 429, dict(error.headers or {}))
    return Redirect(to, status_code=303) if session else again(WRONG, 401)


@get("/logout", include_in_schema=False)
async def logout(request: _AnyRequest, entry: GivenEntry, api_settings: GivenSettings, now: GivenNow) -> Template:
    """Ask first: a link or an image on another page must log nobody out."""
    session = await entry.sessions.found(request)
    addresses = Addresses(api_settings.root)
    page = LogoutPage(addresses.logout, addresses.login())
    if session is not None:
        page = LogoutPage(addresses.logout, addresses.login(), session.name, session.form_token)
    frame = Frame("Log out" if session else "You have been logged out", addresses, now, live=False)
    return Template("logout.html", context={"frame": frame, "page": page})


@post("/logout", include_in_schema=False)
async def leave(request: _AnyRequest, entry: GivenEntry, api_settings: GivenSettings) -> Redirect:
    """End this session, or with `everywhere` all of this user, on every replica at once."""
    session = await entry.sessions.found(request)
    if session is not None:
        await form_token.check(request, session.form_token)
        await entry.logout(request, session, everywhere=bool((await request.form()).get("everywhere")))
    return Redirect(Addresses(api_settings.root).logout, status_code=303)


def _configured(entry: Entry) -> None:
    if not entry.passwords.users:
        raise NotFoundException("No login is configured here.")


def _form(
    addresses: Addresses,
    now: GivenNow,
    *,
    next_page: str,
    name: str = "",
    trouble: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Template:
    page = LoginPage(addresses.login(), next_page, name, trouble)
    frame = Frame("Log in", addresses, now, live=False)
    return Template("login.html", context={"frame": frame, "page": page}, status_code=status, headers=headers or {})


HANDLERS = (login, enter, logout, leave)
