"""The one guard, which stands before every route: who asks, whether the rule of the route lets them, and from where."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from flower_api.access import form_token, same_site
from flower_api.access import principal as principals
from flower_api.access.permissions import Permission
from flower_api.access.principal import Principal
from flower_api.access.rules import PUBLIC, Rule, Rules
from flower_store import errors

Connection = ASGIConnection[Any, Any, Any, Any]
Entry = Callable[[Connection], Awaitable[Principal]]
Note = Callable[[Connection, Permission, str | None], Awaitable[None]]

READ_ONLY = "Read only mode is enabled"


class Guard:
    """`entry` finds out who asks; it raises NotAuthorized for a stranger. `note` writes a refusal down."""

    def __init__(self, rules: Rules, entry: Entry, note: Note, *, root: str, read_only: bool) -> None:
        self._rules = rules
        self._entry = entry
        self._note = note
        self._root = root
        self._read_only = read_only

    async def check(self, connection: Connection, _: BaseRouteHandler) -> None:
        """Litestar's guard. Raises NotAuthorized, PermissionDenied."""
        rule = self.rule(connection)
        who = await self._entry(connection) if rule.needs else principals.NOBODY
        connection.scope["user"] = who
        if rule.writes:
            same_site.check(connection)
            if who.form_token:
                await form_token.check(connection, who.form_token)
        if rule.changes and self._read_only:
            raise PermissionDeniedException(READ_ONLY)
        if rule.needs and not any(map(who.may, rule.needs)):
            await self.refused(connection, rule.needs[0])
            principals.refuse(who, rule.needs)

    async def refused(self, connection: Connection, permission: Permission, cluster: str | None = None) -> None:
        """Note in the log that somebody who is known wanted to change what they may not."""
        if self.rule(connection).writes:
            await self._note(connection, permission, cluster)

    async def still(self, connection: Connection) -> bool:
        """Whether an answer that goes on may go on: a token may have been revoked, a session ended meanwhile."""
        try:
            who = await self._entry(connection)
        except HTTPException:
            return False
        except errors.StoreError:
            return True  # nothing is known, and nothing new is told while the database is away
        return any(map(who.may, self.rule(connection).needs))

    def rule(self, connection: Connection) -> Rule:
        """What the route of this request needs."""
        method = connection.scope["method"]  # type: ignore[typeddict-item]  # all our routes are HTTP
        if method == "OPTIONS":
            return PUBLIC
        template = connection.scope["path_template"].removeprefix(self._root) or "/"
        return self._rules[method, template]
