"""The application: what is served, and what lives as long as it does.

`create_app` has no effects; the lifespan checks the schema, listens for changes, and closes what it opened.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import MappingProxyType
from typing import Any

import httpx2
import structlog
from litestar import Litestar, Request, Router
from litestar.config.compression import CompressionConfig
from litestar.di import Provide
from litestar.plugins import PluginProtocol
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig
from litestar.types import ControllerRouterHandler

from flower_api import forwarded, health, methods, reference, stream, wire
from flower_api.access import principal, rules
from flower_api.access.entry import Entry
from flower_api.access.guard import Guard
from flower_api.access.rules import Rules
from flower_api.control import Control
from flower_api.flower2 import router
from flower_api.live import Live
from flower_api.metrics import endpoint
from flower_api.metrics.scrape import Scrape
from flower_api.problems import ErrorPage, Problems
from flower_api.reads import Pool, Reads
from flower_api.reference import ReferenceAssets
from flower_api.settings import ApiSettings
from flower_api.v1 import router as native
from flower_api.v1.configured import NOTHING_KNOWN, Configured
from flower_store import errors, notices, schema
from flower_store.settings import StoreSettings

_log = structlog.get_logger(__name__)

WAITING_REQUESTS = 1_000
"""Requests that wait for a command's end and hear of it at once; further ones look ten times a second."""

_WITH_ASSETS = (("GET", "/api/docs"), ("GET", "/api/docs/start.js"))
"""Routes that are there only with the assets of the reference's page."""


def create_app(
    settings: ApiSettings,
    store: StoreSettings,
    *,
    extra_handlers: Sequence[ControllerRouterHandler] = (),
    extra_rules: Rules = MappingProxyType({}),
    plugins: Sequence[PluginProtocol] = (),
    template_config: TemplateConfig[JinjaTemplateEngine] | None = None,
    error_page: ErrorPage | None = None,
    reference_assets: ReferenceAssets | None = None,
    configured: Configured = NOTHING_KNOWN,
    outgoing: httpx2.AsyncBaseTransport | None = None,
) -> Litestar:
    """The API, and whatever else the composition serves with it.

    - `extra_handlers` stand under the prefix and stay out of the reference; `extra_rules` say what each of their routes
      needs. Raises RulesBroken where one is missing. Handlers may ask for
      `reads: NamedDependency[Reads]`, `hub: NamedDependency[Live]`, `api_settings: NamedDependency[ApiSettings]`.
    - `error_page` answers browsers (Accept: text/html) outside `/api/`.
    - `reference_assets` say where Swagger UI's files are served; without them `/api/docs` is not there.
    - `configured` is what `/api/v1/settings` tells.
    - `outgoing` takes requests to a provider of logins elsewhere, in tests.
    - `app.lifespan()` raises WrongSchema where the database is of another revision; one that is away is waited for.
    """
    pool = Pool(store)
    doors = rules.api(metrics_public=settings.metrics_public, health_public=settings.health_public)
    table = {**doors, **extra_rules}
    entry = Entry(settings, pool, outgoing=outgoing)
    guard = Guard(table, entry.principal, entry.note_refusal, root=settings.root, read_only=settings.read_only)
    hub = Live(partial(notices.listen, store), most=settings.live_streams)
    endings = Live(partial(notices.listen, store, notices.ANSWERED), most=WAITING_REQUESTS)
    app = Litestar(
        path=settings.root,
        route_handlers=[
            *health.HANDLERS,
            *reference.handlers(settings, reference_assets),
            stream.stream,
            endpoint.metrics,
            router.router(),
            native.router(),
            Router("/", route_handlers=extra_handlers, include_in_schema=False),
        ],
        guards=[guard.check],
        before_send=[methods.told],
        dependencies={
            "reads": _reads(pool, guard),
            "control": _given(Control(pool, endings)),
            "entry": _given(entry),
            "hub": _given(hub),
            "scrape": _given(Scrape(pool, settings)),
            "api_settings": _given(settings),
            "configured": _given(configured),
        },
        lifespan=[partial(_lifespan, pool=pool, listeners=(hub, endings))],
        exception_handlers={Exception: Problems(settings, error_page=error_page).handle},
        compression_config=CompressionConfig("gzip", gzip_compress_level=5, exclude_opt_key="uncompressed"),
        openapi_config=reference.config(),
        template_config=template_config,
        plugins=list(plugins),
        debug=False,  # else LITESTAR_DEBUG could turn tracebacks on
        pdb_on_exception=False,
        logging_config=None,  # the composition decides; Litestar's own would log request bodies
    )
    rules.check(app.routes, table, root=settings.root, optional=_WITH_ASSETS)
    app.state.hub, app.state.guard = hub, guard
    app.asgi_handler = forwarded.wrapped(wire.wrapped(app.asgi_handler, log_each=settings.debug), settings)
    return app


def stop_streams(app: Litestar) -> None:
    """End the event streams, or a server would wait for them for ever."""
    hub: Live = app.state.hub
    hub.stop()


def _reads(pool: Pool, guard: Guard) -> Provide:
    """The rows as each request may see them; all of them for what everybody is answered, such as health."""

    def provide(request: Request[Any, Any, Any]) -> Reads:
        needs = guard.rule(request).needs
        if not needs:
            return Reads(pool)
        return Reads(pool, principal.of(request), needs, refused=partial(guard.refused, request))

    return Provide(provide, sync_to_thread=False)


def _given(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


@asynccontextmanager
async def _lifespan(_: Litestar, *, pool: Pool, listeners: Sequence[Live]) -> AsyncGenerator[None]:
    listening = [asyncio.create_task(one.run(), name="live") for one in listeners]
    try:
        await _check_schema(pool)
        yield
    finally:
        for one, task in zip(listeners, listening, strict=True):
            one.stop()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await pool.close()


async def _check_schema(pool: Pool) -> None:
    """Refuse another revision at start. With the database away it is `/readyz` that tells, once it is back."""
    try:
        async with pool.connect() as connection:
            await schema.check_async(connection)
    except errors.Unavailable as error:
        _log.warning("the database is away, starting without it", reason=str(error))
