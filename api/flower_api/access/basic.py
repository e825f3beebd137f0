"""Passwords: `Authorization: Basic` (RFC 7617), and the check behind the login page."""

import base64
import binascii

from flower_api.access import grants
from flower_api.access.admission import Admission
from flower_api.access.grants import Identity
from flower_api.access.guard import Connection
from flower_api.access.limits import Limits
from flower_api.access.passwords import User
from flower_api.access.principal import Principal
from flower_api.access.strangers import Stranger
from flower_store import audit

WAY = grants.BASIC
UNKNOWN = "unknown"
"""Who is named in the log where the name is nobody's: people type their password into that field."""


class Passwords:
    """Users of the configuration."""

    def __init__(self, admission: Admission, limits: Limits) -> None:
        self.users = admission.users
        self._admission = admission
        self._limits = limits

    async def principal(self, connection: Connection, word: str) -> Principal:
        """Who the header's word says. Raises Stranger, TooManyRequests."""
        name, password = _decoded(word)
        user = self.users.known(name, password)
        if user is None:
            user = await self.check(connection, name, password)
        else:
            await self._limits.check(connection, name)
        if user is None:
            raise Stranger
        return self._admission.principal(Identity(way=WAY, name=user.name), via=WAY)

    async def check(self, connection: Connection, name: str, password: str) -> User | None:
        """The user of these words. A wrong attempt is counted and noted. Raises TooManyRequests."""
        keys = await self._limits.password(connection, name)
        user = await self.users.check(name, password)
        if user is not None:
            await self._limits.take_back(keys)
            return user
        actor = name if self.users.named(name) else UNKNOWN
        await self._limits.refused(connection, audit.LOGIN_REFUSED, actor=actor, target={"way": WAY})
        return None


def _decoded(word: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(word, validate=True).decode(errors="surrogateescape")
    except (binascii.Error, ValueError):
        raise Stranger from None
    name, colon, password = text.partition(":")
    if not colon:
        raise Stranger
    return name, password
