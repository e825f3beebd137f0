"""A login that a browser has begun: what must come back from the provider, kept in an encrypted cookie meanwhile.

So any replica finishes what another one began, and an answer that somebody slips in belongs to no browser but theirs.
"""

import hmac
import secrets
from datetime import UTC, datetime, timedelta

import msgspec

from flower_api.access.cookies import Cookies
from flower_api.access.guard import Connection
from flower_api.access.oauth import errors
from flower_api.access.seal import Seal
from flower_api.reads import Pool
from flower_store import sessions

LIFE = timedelta(minutes=10)
"""From the click to the answer: time for a password and a second factor."""

_COOKIE = "flower_login"
_PURPOSE = "login"


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """256 bits of chance each: `state` (RFC 6749 §10.12), `nonce` (OpenID Connect Core §3.1.2.1), `verifier` (PKCE)."""

    state: str
    nonce: str
    verifier: str
    next: str


class Transactions:
    """Begins them and finishes each once, on whichever replica."""

    def __init__(self, cookies: Cookies, seal: Seal, pool: Pool) -> None:
        self._cookies = cookies
        self._seal = seal
        self._pool = pool

    async def begin(self, connection: Connection, to: str) -> Transaction:
        """A new one, in the place of any that this browser had begun."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        made = Transaction(state=state, nonce=nonce, verifier=verifier, next=to)
        value = await self._seal.closed(_PURPOSE, msgspec.json.encode(made))
        self._cookies.send(connection, _COOKIE, value, seconds=int(LIFE.total_seconds()))
        return made

    async def finish(self, connection: Connection, state: str) -> Transaction:
        """That of this browser, if it is the one of this state. Raises Stale, Unavailable."""
        cookie = self._cookies.given(connection, _COOKIE)
        text = await self._seal.opened(_PURPOSE, cookie, within=LIFE) if cookie else None
        if text is None:
            raise errors.Stale("no transaction" if not cookie else "transaction too old or not ours")
        found = msgspec.json.decode(text, type=Transaction)
        if not hmac.compare_digest(found.state.encode(), state.encode(errors="replace")):
            raise errors.Stale("another state")
        self._cookies.take_away(connection, _COOKIE)
        async with self._pool.connect() as database:
            if not await sessions.spend(database, found.state, until=datetime.now(UTC) + LIFE):
                raise errors.Stale("state used before")
        return found
