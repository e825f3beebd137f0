"""Requests to a provider, by Authlib: bounded in time and size, no redirects followed, errors translated once."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import httpx2
import msgspec
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from flower_api.access.oauth import errors
from flower_api.access.oauth.transaction import Transaction
from flower_api.settings import ApiSettings

_LONGEST = timedelta(seconds=10)
"""For one exchange, whatever it consists of: somebody looks at a blank page meanwhile."""

_LARGEST = 1_000_000
"""Bytes of one answer. Metadata, keys, tokens and pages of groups have some thousands, rarely more."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered: JSON, and the headers by which lists are paged."""

    body: object
    headers: Mapping[str, str]


class Client:
    """Flower as the provider knows it. `transport` is for tests, which have no provider at its real address."""

    def __init__(
        self,
        settings: ApiSettings,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        longest: timedelta = _LONGEST,
    ) -> None:
        self.key = settings.oauth2_key
        self.has_secret = bool(settings.oauth2_secret)
        self._secret = settings.oauth2_secret
        self._redirect_uri = settings.oauth2_redirect_uri
        self._transport = transport
        self._seconds = longest.total_seconds()
        self._tls: ssl.SSLContext | None = None
        self._making = asyncio.Lock()

    async def address(self, endpoint: str, transaction: Transaction, *, scope: str, **more: str) -> str:
        """Where the browser has to go: with state and PKCE (S256), whatever the provider makes of the latter."""
        async with self._session() as session:
            made, _ = session.create_authorization_url(
                endpoint, state=transaction.state, code_verifier=transaction.verifier, scope=scope, **more
            )
        return str(made)

    async def token(self, endpoint: str, code: str, transaction: Transaction, *, method: str) -> Mapping[str, object]:
        """What the provider gives for the code; `method` proves who we are. Raises Declined, Untrusted, Away."""
        async with _translated(endpoint, self._seconds), self._session(method) as session:
            found: Mapping[str, object] = await session.fetch_token(
                endpoint, code=code, grant_type="authorization_code", code_verifier=transaction.verifier
            )
        if not isinstance(found.get("access_token"), str):
            raise errors.Untrusted("no access token")
        return found

    async def read(self, address: str, *, token: str = "", params: Mapping[str, str | int] | None = None) -> Answer:
        """JSON from this address, with an access token where one is given. Raises Untrusted, Away."""
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        async with _translated(address, self._seconds), self._session() as session:
            answer: httpx2.Response = await session.request(
                "GET", address, params=params, headers=headers, withhold_token=True
            )
            answer.raise_for_status()
            return Answer(msgspec.json.decode(answer.content), dict(answer.headers))

    @asynccontextmanager
    async def _session(self, method: str | None = None) -> AsyncGenerator[Any]:
        """One exchange by Authlib, which has no types."""
        session: Any = AsyncOAuth2Client(
            self.key,
            self._secret or None,
            token_endpoint_auth_method=method,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            timeout=self._seconds,
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [_bound]},
            transport=self._transport,
            verify=await self._context(),
        )
        async with session:
            yield session

    async def _context(self) -> ssl.SSLContext:
        """Made once, in a thread: to read the system's certificates takes 20 ms, in which nobody would be answered."""
        async with self._making:
            if self._tls is None:
                self._tls = await asyncio.to_thread(httpx2.create_ssl_context)
        return self._tls


class _TooLarge(ValueError):
    pass


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > _LARGEST:
                raise _TooLarge(f"more than {_LARGEST:,} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Let no more of its body be read than may be. A few bytes could be unpacked to any number: it was not asked to."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _TooLarge("packed, though it was asked not to be")
    response.stream = _Bounded(cast("httpx2.AsyncByteStream", response.stream))


@asynccontextmanager
async def _translated(address: str, seconds: float) -> AsyncGenerator[None]:
    """Raise our errors for theirs. The log gets the reason: no URL of ours holds a secret, and no body is logged."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except OAuthError as error:
        _log.warning("provider refused", address=address, error=_code(error.error))
        raise errors.Declined(_code(error.error)) from error
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
        _log.warning("provider does not answer", address=address, reason=f"{type(error).__name__}: {error}")
        raise errors.Away(type(error).__name__) from error
    except _TooLarge as error:
        _log.warning("provider answers too much", address=address, reason=str(error))
        raise errors.Untrusted(f"an answer that is {error}") from error
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        _log.warning("provider answers nonsense", address=address, reason=type(error).__name__)
        raise errors.Untrusted("no answer of a provider") from error


def _code(given: object) -> str:
    """A provider's code for an error, which goes into our log: RFC 6749 has lower-case words."""
    text = str(given)
    return text if text.replace("_", "").isalnum() and len(text) <= 60 else "an error of its own"  # noqa: PLR2004 - longest known is half
