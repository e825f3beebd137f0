"""Where an issuer's endpoints and keys are: OpenID Connect Discovery 1.0, asked for again after ten minutes."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from flower_api.access.oauth import errors
from flower_api.access.oauth.client import Client

_FRESH = timedelta(minutes=10)
"""A key that the provider has taken back opens nothing after so long."""


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What we need of the provider's (OpenID Connect Discovery 1.0 §3, RFC 8414, RFC 9207)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    @property
    def endpoints(self) -> tuple[str, ...]:
        """All that we would ask."""
        found = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri, self.userinfo_endpoint)
        return tuple(filter(None, found))


@dataclass(frozen=True, slots=True)
class _Kept:
    metadata: Metadata
    keys: KeySet
    at: float


class Discovery:
    """One issuer. Asks once for all who log in at the same moment."""

    def __init__(self, client: Client, issuer: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._issuer = issuer
        self._clock = clock
        self._kept: _Kept | None = None
        self._asking = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Raises Untrusted, Away."""
        return (await self._fresh()).metadata

    async def keys(self, *, unlike: KeySet | None = None) -> KeySet:
        """The keys by which id tokens are signed; not those of `unlike`, which lack one. Raises Untrusted, Away."""
        found = await self._fresh()
        if unlike is not None and found.keys is unlike:
            found = await self._fresh(older_than=self._clock())
        return found.keys

    async def _fresh(self, *, older_than: float | None = None) -> _Kept:
        async with self._asking:
            limit = self._clock() - _FRESH.total_seconds() if older_than is None else older_than
            if self._kept is None or self._kept.at <= limit:
                self._kept = await self._asked()
            return self._kept

    async def _asked(self) -> _Kept:
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        body = (await self._client.read(address)).body
        try:
            metadata = msgspec.convert(body, Metadata)
        except msgspec.ValidationError as error:
            raise errors.Untrusted("not the metadata of a provider") from error
        # Its own name must be the one under which it was asked, but for the slash that people leave out (§4.3).
        if metadata.issuer.rstrip("/") != self._issuer.rstrip("/"):
            raise errors.Untrusted("another issuer in the metadata")
        if urlsplit(self._issuer).scheme == "https" and not all(
            one.startswith("https://") for one in metadata.endpoints
        ):
            raise errors.Untrusted("an endpoint without TLS")
        return _Kept(metadata, keys((await self._client.read(metadata.jwks_uri)).body), self._clock())


def keys(body: Any) -> KeySet:  # noqa: ANN401 - JSON
    """Those of its keys that are for signatures and can be read; others may stand beside them. Raises Untrusted."""
    found = body.get("keys") if isinstance(body, dict) else None
    given = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    signing = [one for one in given if one.get("use", "sig") == "sig" and one.get("kty") in ("RSA", "EC")]
    usable = [key for one in signing for key in _read(one)]
    if not usable:
        raise errors.Untrusted("keys that are none")
    return KeySet(usable)


def _read(key: Any) -> Sequence[Key]:  # noqa: ANN401 - JSON
    try:
        return KeySet.import_key_set({"keys": [key]}).keys
    except (JoseError, ValueError, KeyError, TypeError):
        return ()
