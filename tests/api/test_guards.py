"""What stands before every request takes neither a thread nor memory for it."""

import asyncio
import gc
import tracemalloc
from copy import copy
from typing import Any

import pytest
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.testing import RequestFactory
from litestar.utils.sync import AsyncCallable

from flower_api import arguments
from flower_api.app import create_app
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings


@pytest.fixture(scope="module")
def app() -> Litestar:
    return create_app(ApiSettings(), StoreSettings(database_url="postgresql://x/x"))


def handlers(app: Litestar) -> list[BaseRouteHandler]:
    return [one for route in app.routes for one in getattr(route, "route_handlers", ())]


def test_no_guard_is_run_in_a_thread(app: Litestar) -> None:
    guards = [guard for handler in handlers(app) for guard in handler.resolve_guards()]

    assert guards
    assert [guard.func for guard in guards if isinstance(guard, AsyncCallable)] == []


def test_a_request_leaves_nothing_behind(app: Litestar) -> None:
    """Litestar gives each guard a copy of the handler; one that is kept is never found again."""
    handler = next(one for one in handlers(app) if "/tasks" in one.paths and arguments.declared in one.resolve_guards())
    connection: ASGIConnection[Any, Any, Any, Any] = RequestFactory(app).get("/?limit=5")

    async def check(times: int) -> int:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(times):
            await arguments.declared(connection, copy(handler))
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        asyncio.run(check(10))
        kept = asyncio.run(check(1_000))
    finally:
        tracemalloc.stop()

    assert kept < 100_000
