"""How often somebody may try to come in, for all replicas together, and what the log of commands says of it."""

from collections.abc import Mapping

import structlog
from litestar.exceptions import TooManyRequestsException

from flower_api import asker
from flower_api.access.guard import Connection
from flower_api.reads import Pool
from flower_store import audit, throttle

_OF_ONE = 10
"""Attempts for one name from one address in five minutes."""
_OF_NAME = 100
"""For one name from everywhere: a botnet must not guess on, and locks its user out no longer than it goes on."""
_OF_ADDRESS = 100
"""From one address for all names, behind which may be a whole house."""
_OF_TOKENS = 30
_OF_LOGINS = 100
"""Logins by a provider that fail, from one address: each may cost requests to the provider."""
_OF_REFUSALS = 20
"""Rows in the log for one who asks again and again for what they may not."""

_log = structlog.get_logger(__name__)


class Limits:
    """Counts attempts. Raises Unavailable: without the database nobody is let in."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def password(self, connection: Connection, name: str) -> Mapping[str, int]:
        """Count an attempt before it is looked at; what to take back if it is right. Raises TooManyRequests."""
        keys = _of_password(connection, name)
        await self._count(keys)
        return keys

    async def check(self, connection: Connection, name: str) -> None:
        """Raise TooManyRequests where no attempt would be looked at now.

        For words that the process knows to be right, too: otherwise they would be told from wrong ones for ever.
        """
        async with self._pool.connect() as database:
            _refuse(await throttle.late(database, _of_password(connection, name)))

    async def take_back(self, keys: Mapping[str, int]) -> None:
        """The attempt was right."""
        async with self._pool.connect() as connection:
            await throttle.take_back(connection, keys)

    async def token(self, connection: Connection) -> None:
        """Count a token that was wrong. Raises TooManyRequests."""
        await self._count({f"token {address(connection)}": _OF_TOKENS})

    async def login(self, connection: Connection) -> Mapping[str, int]:
        """Count a login by a provider before it is looked at, as `password`. Raises TooManyRequests."""
        keys = {f"login {address(connection)}": _OF_LOGINS}
        await self._count(keys)
        return keys

    async def refused(self, request: Connection, kind: str, *, actor: str, target: Mapping[str, object]) -> None:
        """Note a refusal in the log, which nobody can fill by asking again."""
        async with self._pool.connect() as connection:
            if await throttle.count(connection, {f"log {kind} {address(request)} {actor}": _OF_REFUSALS}):
                return
        async with self._pool.connect() as connection:
            await audit.note(connection, kind, actor=actor, origin=asker.origin(request), target=target)
            await connection.commit()

    async def _count(self, keys: Mapping[str, int]) -> None:
        async with self._pool.connect() as connection:
            _refuse(await throttle.count(connection, keys))


def _of_password(connection: Connection, name: str) -> Mapping[str, int]:
    where = address(connection)
    return {f"one {where} {name}": _OF_ONE, f"name {name}": _OF_NAME, f"address {where}": _OF_ADDRESS}


def _refuse(seconds: int) -> None:
    if seconds:
        raise TooManyRequestsException(
            f"too many attempts: try again in {seconds} seconds", headers={"Retry-After": str(seconds)}
        )


def address(connection: Connection) -> str:
    """The address that asks, as trusted proxies tell it. That of any other proxy which stands between."""
    return connection.client.host if connection.client else "local"
