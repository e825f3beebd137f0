"""OpenID Connect (Core 1.0): any provider that can be discovered; also Google and Okta."""

from collections.abc import Mapping
from dataclasses import dataclass

from joserfc.errors import InvalidKeyIdError

from flower_api.access.grants import Identity
from flower_api.access.oauth import claims, errors, id_token, provider
from flower_api.access.oauth.client import Client
from flower_api.access.oauth.discovery import Discovery, Metadata
from flower_api.access.oauth.provider import Provider
from flower_api.access.oauth.transaction import Transaction

_ADDRESS = {"email", "email_verified"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How its claims are read.

    - `groups` is the claim with the groups; empty where no role depends on any.
    - `trust_email`: an address counts although the provider does not say that it is verified.
    """

    groups: str = ""
    trust_email: bool = False


class OpenId(Provider):
    """One issuer."""

    def __init__(self, client: Client, *, way: str, label: str, issuer: str, scope: str, reading: Reading) -> None:
        self.label = label
        self._way = way
        self._client = client
        self._scope = scope
        self._reading = reading
        self._discovery = Discovery(client, issuer)

    async def address(self, transaction: Transaction) -> str:
        """With a nonce."""
        metadata = await self._discovery.metadata()
        return await self._client.address(
            metadata.authorization_endpoint, transaction, scope=self._scope, nonce=transaction.nonce
        )

    async def identity(self, answer: Mapping[str, str], transaction: Transaction) -> Identity:
        """By the id token; what it leaves out is asked of the userinfo endpoint (§5.3)."""
        metadata = await self._discovery.metadata()
        _check_issuer(answer.get("iss"), metadata)
        token = await self._client.token(
            metadata.token_endpoint, answer["code"], transaction, method=self._method(metadata)
        )
        access_token = str(token["access_token"])
        told = await self._claims(token.get("id_token"), metadata, transaction, access_token)
        groups, asked = claims.groups(told, self._reading.groups), told
        lacking = not told.keys() >= _ADDRESS or (self._reading.groups and not groups)
        if metadata.userinfo_endpoint and lacking:
            asked = await self._userinfo(metadata.userinfo_endpoint, access_token, told["sub"])
        # An address and whether it is verified come from one place: two of them may mean two addresses.
        source = told if told.keys() >= _ADDRESS or "email" not in asked else asked
        address = claims.email(source, trusted=self._reading.trust_email)
        name = provider.named(address, str(told["sub"]))
        groups = groups or claims.groups(asked, self._reading.groups)
        return Identity(way=self._way, name=name, email=address, groups=groups)

    async def _claims(
        self, text: object, metadata: Metadata, transaction: Transaction, access_token: str
    ) -> Mapping[str, object]:
        if not isinstance(text, str):
            raise errors.Untrusted("no id token")
        keys = await self._discovery.keys()
        for last in (False, True):
            try:
                return id_token.verified(
                    text,
                    keys,
                    metadata=metadata,
                    client=self._client.key,
                    nonce=transaction.nonce,
                    access_token=access_token,
                )
            except InvalidKeyIdError as error:
                if last:
                    raise id_token.untrusted(error) from error
                keys = await self._discovery.keys(unlike=keys)  # the provider has got a new one meanwhile
        raise AssertionError

    async def _userinfo(self, endpoint: str, access_token: str, subject: object) -> Mapping[str, object]:
        body = (await self._client.read(endpoint, token=access_token)).body
        if not isinstance(body, dict) or body.get("sub") != subject:
            raise errors.Untrusted("userinfo of another")  # §5.3.2: or a token of somebody else's could be slipped in
        return body

    def _method(self, metadata: Metadata) -> str:
        """How the client proves itself: with the header that every provider must know, or in the form."""
        if not self._client.has_secret:
            return "none"
        known = metadata.token_endpoint_auth_methods_supported
        posted = "client_secret_post" in known and "client_secret_basic" not in known
        return "client_secret_post" if posted else "client_secret_basic"


def _check_issuer(told: str | None, metadata: Metadata) -> None:
    """An answer of another provider must not be taken for this one's (RFC 9207)."""
    if told is None and not metadata.authorization_response_iss_parameter_supported:
        return
    if told != metadata.issuer:
        raise errors.Untrusted("an answer of another issuer")
