"""GitLab, with groups from its API, which tells them by access level.

https://docs.gitlab.com/api/oauth2/
https://docs.gitlab.com/api/users/
https://docs.gitlab.com/api/groups/
https://docs.gitlab.com/api/rest/#pagination
"""

from collections.abc import Mapping

import msgspec

from flower_api.access.grants import Identity
from flower_api.access.oauth import claims, errors, options
from flower_api.access.oauth.client import Client
from flower_api.access.oauth.provider import Provider
from flower_api.access.oauth.transaction import Transaction

_SCOPE = "read_api"
_PAGE, _MOST_PAGES = 100, 100
"""Groups on a page, the most that it gives; and pages that are read, or nobody would wait for the login."""


class Group(msgspec.Struct, frozen=True):
    """One group."""

    full_path: str


class User(msgspec.Struct, frozen=True):
    """Whose token it is. `confirmed_at` is null until the address was proved; some instances let such users in."""

    id: int
    email: str | None = None
    confirmed_at: str | None = None
    state: str = "active"


class GitLab(Provider):
    """The one of a domain. Without need of groups it asks for none."""

    label = "GitLab"

    def __init__(self, client: Client, domain: str, *, level: int, with_groups: bool) -> None:
        self._client = client
        self._site = f"https://{domain}"
        self._level = level
        self._with_groups = with_groups

    async def address(self, transaction: Transaction) -> str:
        """Its page."""
        return await self._client.address(f"{self._site}/oauth/authorize", transaction, scope=_SCOPE)

    async def identity(self, answer: Mapping[str, str], transaction: Transaction) -> Identity:
        """The confirmed address, and the groups in which the access level is high enough."""
        token = await self._client.token(
            f"{self._site}/oauth/token", answer["code"], transaction, method="client_secret_post"
        )
        access_token = str(token["access_token"])
        found = await self._client.read(f"{self._site}/api/v4/user", token=access_token)
        try:
            user = msgspec.convert(found.body, User)
        except msgspec.ValidationError as error:
            raise errors.Untrusted("no user") from error
        address = claims.address(user.email) if user.confirmed_at else ""
        if not address or user.state != "active":
            raise errors.Stranger("", why="no confirmed address")
        groups = await self._groups(access_token) if self._with_groups else ()
        return Identity(way=options.GITLAB, name=address, email=address, groups=groups)

    async def _groups(self, access_token: str) -> tuple[str, ...]:
        """Page by page; the address of the next is made here, so that no answer leads anywhere else."""
        paths: list[str] = []
        page = "1"
        for _ in range(_MOST_PAGES):
            params: dict[str, str | int] = {"min_access_level": self._level, "per_page": _PAGE, "page": page}
            found = await self._client.read(f"{self._site}/api/v4/groups", token=access_token, params=params)
            try:
                paths += [one.full_path for one in msgspec.convert(found.body, list[Group])]
            except msgspec.ValidationError as error:
                raise errors.Untrusted("no list of groups") from error
            page = found.headers.get("x-next-page", "")
            if not page.isdecimal():
                break
        return tuple(paths)
