"""GitHub and GitHub Enterprise Server: OAuth 2.0 without id tokens, so the addresses are asked of its API.

https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
https://docs.github.com/en/rest/users/emails
"""

from collections.abc import Mapping, Sequence

import msgspec

from flower_api.access.grants import Identity
from flower_api.access.oauth import claims, errors, options
from flower_api.access.oauth.client import Client
from flower_api.access.oauth.membership import Membership
from flower_api.access.oauth.provider import Provider
from flower_api.access.oauth.transaction import Transaction

_SCOPE = "user:email"
_MOST = 100
"""Addresses on one page of its API, the most that it gives."""
PUBLIC = "github.com"


class Address(msgspec.Struct, frozen=True):
    """One of somebody's addresses."""

    email: str
    verified: bool = False
    primary: bool = False


class GitHub(Provider):
    """The one of a domain."""

    label = "GitHub"

    def __init__(self, client: Client, domain: str, membership: Membership) -> None:
        self._client = client
        self._site = f"https://{domain}"
        self._api = "https://api.github.com" if domain == PUBLIC else f"https://{domain}/api/v3"
        self._membership = membership

    async def address(self, transaction: Transaction) -> str:
        """Its page."""
        return await self._client.address(f"{self._site}/login/oauth/authorize", transaction, scope=_SCOPE)

    async def identity(self, answer: Mapping[str, str], transaction: Transaction) -> Identity:
        """One of the verified addresses that `auth` names: the primary one, otherwise the last, as Flower."""
        endpoint = f"{self._site}/login/oauth/access_token"
        token = await self._client.token(endpoint, answer["code"], transaction, method="client_secret_post")
        found = await self._client.read(
            f"{self._api}/user/emails", token=str(token["access_token"]), params={"per_page": _MOST}
        )
        try:
            given = msgspec.convert(found.body, list[Address])
        except msgspec.ValidationError as error:
            raise errors.Untrusted("no list of addresses") from error
        address = self._chosen([one for one in given if one.verified and claims.address(one.email)])
        return Identity(way=options.GITHUB, name=address, email=address)

    def _chosen(self, verified: Sequence[Address]) -> str:
        if not verified:
            raise errors.Stranger("", why="no verified address")
        those = [one for one in verified if self._membership.fits(one.email.lower())] or verified
        return next((one for one in those if one.primary), those[-1]).email.lower()
