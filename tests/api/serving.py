"""An API as production serves it, on a free port, in a thread of its own."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

import httpx
from litestar.types import ControllerRouterHandler

from flower_api.access import rules
from flower_api.app import create_app
from flower_api.reference import ReferenceAssets
from flower_api.server import Server
from flower_api.settings import ApiSettings
from flower_api.v1.configured import NOTHING_KNOWN, Configured
from flower_store.settings import StoreSettings

FREE_PORT = ApiSettings(port=0)


@contextmanager
def running(
    store: StoreSettings,
    settings: ApiSettings = FREE_PORT,
    *,
    extra_handlers: tuple[ControllerRouterHandler, ...] = (),
    reference_assets: ReferenceAssets | None = None,
    configured: Configured = NOTHING_KNOWN,
) -> Generator[Server]:
    """The server, once it answers; stopped at the end."""
    app = create_app(
        settings,
        store,
        extra_handlers=extra_handlers,
        extra_rules=rules.reads(*(path for one in extra_handlers for path in getattr(one, "paths", ()))),
        reference_assets=reference_assets,
        configured=configured,
    )
    server = Server(app, settings)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,), name="api")
    thread.start()
    try:
        assert ready.wait(60), "the API did not start"
        yield server
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive(), "the API did not stop"


@contextmanager
def client(
    store: StoreSettings,
    settings: ApiSettings = FREE_PORT,
    *,
    extra_handlers: tuple[ControllerRouterHandler, ...] = (),
    reference_assets: ReferenceAssets | None = None,
    configured: Configured = NOTHING_KNOWN,
) -> Generator[httpx.Client]:
    """A client of a running API."""
    with (
        running(
            store,
            settings,
            extra_handlers=extra_handlers,
            reference_assets=reference_assets,
            configured=configured,
        ) as server,
        httpx.Client(base_url=server.address, timeout=10) as opened,
    ):
        yield opened
