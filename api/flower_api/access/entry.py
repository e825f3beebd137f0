"""How a request becomes a principal: the ways in, in their order."""

from litestar.exceptions import NotAuthorizedException

from flower_api import gate
from flower_api.access import grants, passwords
from flower_api.access import principal as principals
from flower_api.access.basic import Passwords
from flower_api.access.guard import Connection
from flower_api.access.limits import Limits
from flower_api.access.permissions import Permission
from flower_api.access.principal import Principal
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
        raise Stranger

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
