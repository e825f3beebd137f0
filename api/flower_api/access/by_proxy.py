"""Logins by a trusted proxy, which says with each request who it is: `proxy_user_header` and its companions.

The browser logs in at the proxy by itself, so forms need a token here, too. There is no session to keep it in: it is
made of the secret of sessions and the subject.
"""

import re

from flower_api.access import grants, proxies
from flower_api.access.admission import Admission
from flower_api.access.grants import Identity
from flower_api.access.guard import Connection
from flower_api.access.principal import Principal
from flower_api.access.seal import Seal
from flower_api.access.strangers import Stranger
from flower_api.reads import Pool
from flower_api.settings import ApiSettings
from flower_store import identities
from flower_store.identities import IdentityRecord

WAY = grants.PROXY
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_MOST_GROUPS = 1_000
_REMEMBERED = 10_000


class ByProxy:
    """Who a trusted proxy says it is. The same header of anybody else says nothing."""

    def __init__(self, settings: ApiSettings, pool: Pool, admission: Admission, seal: Seal) -> None:
        self._settings = settings
        self._pool = pool
        self._admission = admission
        self._seal = seal
        self._stored: dict[str, IdentityRecord] = {}

    async def principal(self, connection: Connection) -> Principal | None:
        """None where no trusted proxy names anybody. Raises Stranger for several names, and for what is none."""
        if not (self._settings.proxy_user_header and proxies.of(connection.scope)):
            return None
        name = _header(connection, self._settings.proxy_user_header)
        if not name:
            return None
        if not _NAME.fullmatch(name):
            raise Stranger
        groups = _header(connection, self._settings.proxy_groups_header).split(",")[:_MOST_GROUPS]
        who = Identity(
            way=WAY,
            name=name,
            email=_header(connection, self._settings.proxy_email_header),
            groups=grants.telling([one.strip() for one in groups], self._admission.rules),
        )
        await self._remember(who)
        return self._admission.principal(who, via=WAY, form_token=await self._seal.token("proxy form", who.subject))

    async def _remember(self, who: Identity) -> None:
        """For their API tokens, once a process: a request with a token does not come with their groups."""
        mark = self._admission.proxy_mark
        record = IdentityRecord(subject=who.subject, email=who.email, groups=list(who.groups), mark=mark)
        if self._stored.get(who.subject) == record:
            return
        async with self._pool.connect() as database:
            await identities.remember(database, record)
            await database.commit()
        if len(self._stored) >= _REMEMBERED:
            self._stored.clear()
        self._stored[who.subject] = record


def _header(connection: Connection, name: str) -> str:
    """Its one value. Raises Stranger for several: one of them is not the proxy's."""
    if not name:
        return ""
    values = connection.headers.getall(name, [])
    if len(values) > 1:
        raise Stranger
    text = values[0].strip() if values else ""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
