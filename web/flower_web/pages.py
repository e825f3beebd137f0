"""The room's door: everything that the dashboard adds to the API's application.

Served with `flower_api.app.create_app(…, extra_handlers=pages.handlers(), …)`, or whole by `app.create_app`.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from litestar import Router
from litestar.datastructures import CacheControlHeader
from litestar.di import Provide
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler

from flower_api.reference import ReferenceAssets
from flower_web import assets, errors, login, overview, redirects, task, tasks, unseen, workers
from flower_web.addresses import Addresses
from flower_web.visit import provide_visit

Clock = Callable[[], datetime]

_A_YEAR = 31_536_000
_AN_HOUR = 3_600


def utc_now() -> datetime:
    """The clock of every page."""
    return datetime.now(UTC)


def handlers(*, clock: Clock = utc_now) -> Sequence[ControllerRouterHandler]:
    """Pages, redirects and assets."""
    now = {"now": Provide(clock, sync_to_thread=False, use_cache=False)}
    visit = {"visit": Provide(provide_visit)}
    # What a page shows is old at once, and is asked for again; the browser may keep it to go back to.
    fresh = CacheControlHeader(no_cache=True, private=True)
    clusters = Router(
        path="/",
        route_handlers=[
            overview.overview,
            tasks.tasks,
            tasks.task_rows,
            task.task,
            task.odd_task,
            errors.errors,
            errors.decide,
            workers.workers,
            unseen.unseen,
        ],
        dependencies=now | visit,
        cache_control=fresh,
    )
    alone = CacheControlHeader(no_store=True, private=True)
    doors = Router(path="/", route_handlers=login.HANDLERS, dependencies=now, cache_control=alone)
    others = Router(path="/", route_handlers=redirects.HANDLERS, dependencies=now, cache_control=fresh)
    return clusters, doors, others, *_static()


def reference_assets(root: str) -> ReferenceAssets:
    """Where Swagger UI's files are served, for the API's reference page."""
    addresses = Addresses(root)
    return ReferenceAssets(
        script=addresses.static("openapi/swagger-ui-bundle.js"), style=addresses.static("openapi/swagger-ui.css")
    )


def _static() -> Sequence[ControllerRouterHandler]:
    """The bundles carry their content's hash in their names and never change; the other files may."""
    stable = CacheControlHeader(max_age=_A_YEAR, public=True, immutable=True)
    changing = CacheControlHeader(max_age=_AN_HOUR, public=True)
    return (
        create_static_files_router(
            "/static/dist", [assets.STATIC / "dist"], name="bundles", cache_control=stable, include_in_schema=False
        ),
        create_static_files_router(
            "/static", [assets.STATIC], name="files", cache_control=changing, include_in_schema=False
        ),
    )
