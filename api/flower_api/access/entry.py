"""How a request becomes a principal: the ways in, in their order."""

from litestar.exceptions import NotAuthorizedException

from flower_api import asker, gate
from flower_api.access import basic, grants, passwords
from flower_api.access import principal as principals
from flower_api.access.basic import Passwords
from flower_api.access.grants import Identity
from flower_api.access.guard import Connection
from flower_api.access.limits import Limits
from flower_api.access.permissions import Permission
from flower_api.access.principal import Principal
from flower_api.access.sessions import Session, Sessions
from flower_api.access.strangers import Stranger
from flower_api.access.tokens import Tokens
from flower_api.reads import Pool
from flower_api.settings import ApiSettings
from flower_store import audit

_LONGEST = 500
"""Characters of a path in the log."""


class Entry:
    """Who asks. Without configured access it is whoever asks from this machine, or everybody where it was opened."""

    def __init__(self, settings: ApiSettings, pool: Pool) -> None:
        self._settings = settings
        self.limits = Limits(pool)
        self.passwords = Passwords(passwords.Users(settings.basic_auth), grants.parsed(settings.role), self.limits)
        self.sessions = Sessions(settings, pool, self.passwords)
        self._pool = pool
        self._tokens = Tokens(pool, self.passwords, self.limits)

    async def principal(self, connection: Connection) -> Principal:
        """Raises NotAuthorized, TooManyRequests."""
        scheme, _, word = connection.headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() == "bearer":
            return await self._tokens.principal(connection, word.strip())
        if not self._settings.access_configured:
            return self._anonymous(connection)
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
        connection.scope["user"] = self.passwords.of(session.identity, via=via)
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

    def _anonymous(self, connection: Connection) -> Principal:
        if self._settings.unauthenticated_api:
            return principals.anonymous(principals.OPEN)
        if gate.local(connection):
            return principals.anonymous(principals.HERE)
        raise NotAuthorizedException(gate.CLOSED)
