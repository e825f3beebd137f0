"""How a request becomes a principal: the ways in, in their order."""

from collections.abc import Mapping

import httpx2
from litestar.exceptions import NotAuthorizedException, NotFoundException

from flower_api import asker, gate
from flower_api.access import basic
from flower_api.access import principal as principals
from flower_api.access.admission import Admission
from flower_api.access.basic import Passwords
from flower_api.access.by_proxy import ByProxy
from flower_api.access.cookies import Cookies
from flower_api.access.grants import Identity
from flower_api.access.guard import Connection
from flower_api.access.limits import Limits
from flower_api.access.oauth import choice, errors
from flower_api.access.oauth.login import ProviderLogin
from flower_api.access.oauth.transaction import Transactions
from flower_api.access.permissions import Permission
from flower_api.access.principal import Principal
from flower_api.access.seal import Seal
from flower_api.access.sessions import Session, Sessions
from flower_api.access.strangers import Stranger
from flower_api.access.tokens import Tokens
from flower_api.reads import Pool
from flower_api.settings import ApiSettings
from flower_store import audit, identities
from flower_store.identities import IdentityRecord

_LONGEST = 500
"""Characters of a path in the log."""


class Entry:
    """Who asks. Without configured access it is whoever asks from this machine, or everybody where it was opened."""

    def __init__(self, settings: ApiSettings, pool: Pool, *, outgoing: httpx2.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._pool = pool
        self._admission = Admission(settings)
        self._seal = Seal(settings, pool)
        self.limits = Limits(pool)
        self.passwords = Passwords(self._admission, self.limits)
        self.sessions = Sessions(settings, pool, self._admission, self._seal)
        self._by_proxy = ByProxy(settings, pool, self._admission, self._seal)
        self._tokens = Tokens(pool, self._admission, self.limits)
        self.provider = self._provider(outgoing)

    async def principal(self, connection: Connection) -> Principal:
        """Raises NotAuthorized, TooManyRequests."""
        scheme, _, word = connection.headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() == "bearer":
            return await self._tokens.principal(connection, word.strip())
        if not self._settings.access_configured:
            return self._anonymous(connection)
        named = await self._by_proxy.principal(connection)
        if named is not None:
            return named
        if scheme.lower() == "basic":
            return await self.passwords.principal(connection, word.strip())
        found = await self.sessions.principal(connection)
        if found is None:
            raise Stranger
        return found

    async def login(self, connection: Connection, name: str, password: str) -> Session | None:
        """A session for the right words. Raises TooManyRequests."""
        user = await self.passwords.check(connection, name, password)
        if user is None:
            return None
        return await self.let_in(connection, Identity(way=basic.WAY, name=name), mark=user.mark)

    async def login_by_provider(self, connection: Connection, answer: Mapping[str, str]) -> str:
        """A session for whoever the provider sent back; where they wanted to go. Raises oauth's Failed."""
        if self.provider is None:
            raise NotFoundException("No provider of logins is configured here.")
        try:
            admitted = await self.provider.finish(connection, answer)
        except errors.Failed as error:
            target = {"way": self._way, "why": error.why}
            await self.limits.refused(connection, audit.LOGIN_REFUSED, actor=error.who or basic.UNKNOWN, target=target)
            raise
        who = admitted.identity
        async with self._pool.connect() as database:
            record = IdentityRecord(subject=who.subject, email=who.email, groups=list(who.groups), mark=admitted.mark)
            await identities.remember(database, record)
            await database.commit()
        await self.let_in(connection, who, mark=admitted.mark)
        return admitted.to

    async def let_in(self, connection: Connection, identity: Identity, *, mark: str = "") -> Session:
        """A session for whom a way of login found: what every way ends with. It is in the log."""
        session = await self.sessions.begin(connection, identity, mark=mark)
        await self._note(connection, audit.LOGIN, session)
        return session

    async def logout(self, connection: Connection, session: Session, *, everywhere: bool) -> None:
        """End it, or all of its user."""
        await self.sessions.end(connection, session, everywhere=everywhere)
        await self._note(connection, audit.LOGOUT, session, everywhere=everywhere)

    async def _note(self, connection: Connection, kind: str, session: Session, **more: object) -> None:
        via = f"session {session.id[:8]}"
        connection.scope["user"] = self._admission.principal(session.identity, via=via)
        async with self._pool.connect() as database:
            origin = asker.origin(connection)
            await audit.note(database, kind, actor=session.name, origin=origin, target={"way": session.way, **more})
            await database.commit()

    async def note_refusal(self, connection: Connection, permission: Permission, cluster: str | None) -> None:
        """For the log: this one wanted what they may not."""
        who = principals.of(connection)
        target = {"permission": permission, "path": connection.url.path[:_LONGEST]} | (
            {} if cluster is None else {"cluster": cluster}
        )
        await self.limits.refused(connection, audit.REFUSED, actor=who.name, target=target)

    @property
    def _way(self) -> str:
        return "" if self._admission.membership is None else self._admission.membership.way

    def _provider(self, outgoing: httpx2.AsyncBaseTransport | None) -> ProviderLogin | None:
        membership = self._admission.membership
        if membership is None:
            return None
        return ProviderLogin(
            self._settings,
            choice.chosen(self._settings, membership, self._admission.rules, transport=outgoing),
            admission=self._admission,
            membership=membership,
            transactions=Transactions(Cookies(self._settings), self._seal, self._pool),
            limits=self.limits,
        )

    def _anonymous(self, connection: Connection) -> Principal:
        if self._settings.unauthenticated_api:
            return principals.anonymous(principals.OPEN)
        if gate.local(connection):
            return principals.anonymous(principals.HERE)
        raise NotAuthorizedException(gate.CLOSED)
