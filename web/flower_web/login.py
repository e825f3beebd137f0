"""The way in by a page or by a provider, and the way out."""

from collections.abc import Awaitable
from dataclasses import dataclass

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException, TooManyRequestsException
from litestar.response import Redirect, Template

from flower_api.access import destination, form_token
from flower_api.access.entry import Entry
from flower_api.access.oauth import errors
from flower_api.access.oauth.login import ANSWERED
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
    """What the form shows again; never the password. `provider` is the link's text, empty where there is none."""

    action: str
    next: str
    with_password: bool
    provider: str = ""
    begin: str = ""
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
    """The ways in; who has come in already goes on. It is also where the provider sends the browser back to."""
    if not (entry.passwords.users or entry.provider):
        raise NotFoundException("No login is configured here.")
    to = destination.confined(request.query_params.get("next", ""), root=api_settings.root)
    addresses = Addresses(api_settings.root)
    if entry.provider and ANSWERED & set(request.query_params):
        answer = {name: str(value) for name, value in request.query_params.items()}
        return await _by_provider(entry, addresses, now, entry.login_by_provider(request, answer), to=to)
    if await entry.sessions.found(request) is not None:
        return Redirect(to, status_code=303)
    return _form(entry, addresses, now, next_page=to)


@get("/login/provider", include_in_schema=False)
async def begin(
    request: _AnyRequest, entry: GivenEntry, api_settings: GivenSettings, now: GivenNow
) -> Template | Redirect:
    """Send the browser to the provider. A link and no form: a policy on forms would forbid where it leads."""
    if entry.provider is None:
        raise NotFoundException("No provider of logins is configured here.")
    to = destination.confined(request.query_params.get("next", ""), root=api_settings.root)
    there = entry.provider.begin(request, to)
    return await _by_provider(entry, Addresses(api_settings.root), now, there, to=to)


@post("/login", include_in_schema=False)
async def enter(
    request: _AnyRequest, entry: GivenEntry, api_settings: GivenSettings, now: GivenNow
) -> Template | Redirect:
    """A session for the right words. It is always a new one: a cookie that somebody slipped in opens nothing."""
    if not entry.passwords.users:
        raise NotFoundException("No login by password is configured here.")
    form = await request.form()
    name, password, wanted = (str(form.get(field, "")) for field in ("username", "password", "next"))
    to = destination.confined(wanted, root=api_settings.root)
    addresses = Addresses(api_settings.root)

    def again(trouble: str, status: int, headers: dict[str, str] | None = None) -> Template:
        return _form(entry, addresses, now, next_page=to, name=name, trouble=trouble, status=status, headers=headers)

    if not entry.sessions.kept(request):
        return again(NOT_KEPT, 400)
    if len(name) > _LONGEST or len(password) > _LONGEST:
        return again(WRONG, 401)
    try:
        session = await entry.login(request, name, password)
    except TooManyRequestsException as error:
        return again(_sentence(error.detail), 429, dict(error.headers or {}))
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


async def _by_provider(
    entry: Entry, addresses: Addresses, now: GivenNow, step: Awaitable[str], *, to: str
) -> Template | Redirect:
    """To where the step leads, or the ways in once more with what went wrong."""
    try:
        return Redirect(await step, status_code=303)
    except errors.Failed as error:
        return _form(entry, addresses, now, next_page=error.to or to, trouble=str(error), status=error.status)
    except TooManyRequestsException as error:
        headers = dict(error.headers or {})
        return _form(entry, addresses, now, next_page=to, trouble=_sentence(error.detail), status=429, headers=headers)


def _sentence(detail: str) -> str:
    return f"{detail[:1].upper()}{detail[1:]}."


def _form(
    entry: Entry,
    addresses: Addresses,
    now: GivenNow,
    *,
    next_page: str,
    name: str = "",
    trouble: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Template:
    page = LoginPage(
        addresses.login(),
        next_page,
        bool(entry.passwords.users),
        f"Log in with {entry.provider.label}" if entry.provider else "",
        addresses.login_by_provider(next_page),
        name,
        trouble,
    )
    frame = Frame("Log in", addresses, now, live=False)
    return Template("login.html", context={"frame": frame, "page": page}, status_code=status, headers=headers or {})


HANDLERS = (login, begin, enter, logout, leave)
