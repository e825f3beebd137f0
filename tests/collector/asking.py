"""Commands issued and read as the API does it, for tests of those who execute them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection
from tests.waiting import eventually

from flower_store import outbox
from flower_store.reader import Reader
from flower_store.reads import commands, routes
from flower_store.records import CommandRecord
from flower_store.settings import StoreSettings

T = TypeVar("T")
IN_TIME = timedelta(minutes=1)
"""On a loaded machine, too."""


class Asker:
    """Asks the first cluster of a database."""

    def __init__(self, store: StoreSettings) -> None:
        self._store = store

    def issue(self, kind: str, *, expires: timedelta = IN_TIME, **asked: Any) -> outbox.Issued:
        given: dict[str, Any] = {"target": {}, "arguments": {}, **asked}
        wanted = outbox.Asked(cluster_id=1, kind=kind, actor="a test", origin="here", **given)
        return self._run(lambda connection: outbox.issue(connection, wanted, expires=expires))

    def withdraw(self, command_id: int) -> bool:
        return self._run(lambda connection: outbox.withdraw(connection, command_id))

    def read(self, command_id: int) -> CommandRecord:
        found = self._run(lambda connection: commands.one(connection, 1, command_id))
        assert found is not None
        return found

    def ended(self, kind: str, **asked: Any) -> CommandRecord:
        issued = self.issue(kind, **asked)
        assert issued.heard, "no collector lives"
        eventually(lambda: self.read(issued.id).ended_at)
        return self.read(issued.id)

    def route(self, name: str) -> routes.Route | None:
        return self._run(lambda connection: routes.last(connection, 1, name))

    def _run(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async def run() -> T:
            reader = Reader(self._store)
            try:
                async with reader.connect() as connection:
                    return await work(connection)
            finally:
                await reader.close()

        return asyncio.run(run())


def published(args: list[object], **options: object) -> str:
    return json.dumps({"args": args, "kwargs": {}, "options": options})
