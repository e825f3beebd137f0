"""API tokens: `Authorization: Bearer flower_…` (RFC 6750), beside every way of login.

A token may never do more than whoever made it may now: a user who is gone or has a lesser role takes theirs along. What
a provider of logins tells of somebody is known as of their last login.
"""

import hashlib
import secrets
from datetime import UTC, datetime

from flower_api.access import basic
from flower_api.access import principal as principals
from flower_api.access.admission import Admission
from flower_api.access.grants import Identity
from flower_api.access.guard import Connection
from flower_api.access.limits import Limits
from flower_api.access.permissions import Role
from flower_api.access.principal import ANONYMOUS, Principal
from flower_api.access.strangers import BadToken
from flower_api.reads import Pool
from flower_store import audit, identities, tokens
from flower_store.tokens import TokenRecord

PREFIX = "flower_"
"""So that a token is known as one where it lies about; programs that look for secrets find it."""


def made() -> str:
    """A new token with 256 bits of chance."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored of it. Nobody can guess 256 bits, so the digest need not be slow."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


class Tokens:
    """Finds out whose token it is, in the database for each request: a revoked one ends at once on every replica."""

    def __init__(self, pool: Pool, admission: Admission, limits: Limits) -> None:
        self._pool = pool
        self._admission = admission
        self._limits = limits

    async def principal(self, connection: Connection, token: str) -> Principal:
        """Who it is. Raises BadToken, TooManyRequests."""
        async with self._pool.connect() as database:
            found = await tokens.by_digest(database, digest(token))
        who = await self._principal(found) if found is not None and found.live else None
        if who is None or found is None:
            await self._refuse(connection, found)
            raise BadToken
        await self._note_use(found)
        return who

    async def _principal(self, found: TokenRecord) -> Principal | None:
        maker = await self._maker(found.created_by)
        if maker is None:
            return None
        clusters = None if found.clusters is None else frozenset(found.clusters)
        return Principal(
            subject=found.created_by,
            name=maker.name,
            via=f"token {found.id}",
            grants=maker.capped(Role(found.role), clusters),
            by_token=True,
        )

    async def _maker(self, subject: str) -> Principal | None:
        """Whoever made it, with the roles of now; None where there is no such user any more."""
        if subject == ANONYMOUS:
            return principals.anonymous("")
        way, _, name = subject.partition(":")
        if way == basic.WAY:
            there = bool(self._admission.users.named(name))
            return self._admission.principal(Identity(way=way, name=name), via="") if there else None
        async with self._pool.connect() as database:
            known = await identities.of(database, subject)
        if known is None:
            return None
        who = Identity(way=way, name=name, email=known.email, groups=tuple(known.groups))
        return self._admission.principal(who, via="") if self._admission.stands(who, known.mark) else None

    async def _refuse(self, connection: Connection, found: TokenRecord | None) -> None:
        await self._limits.token(connection)
        actor = basic.UNKNOWN if found is None else found.created_by.partition(":")[2] or found.created_by
        target = {} if found is None else {"token": found.id}
        await self._limits.refused(connection, audit.TOKEN_REFUSED, actor=actor, target=target)

    async def _note_use(self, found: TokenRecord) -> None:
        if found.used_at is None or datetime.now(UTC) - found.used_at > tokens.USED_EVERY:
            async with self._pool.connect() as database:
                await tokens.used(database, found.id)
