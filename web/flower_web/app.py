"""The whole of what a reader sees: the API's application with the dashboard in it."""

import httpx2
from litestar import Litestar

from flower_api import app
from flower_api.settings import ApiSettings
from flower_api.v1.configured import NOTHING_KNOWN, Configured
from flower_store.settings import StoreSettings
from flower_web import pages, problems, rendering, rules
from flower_web.pages import Clock


def create_app(
    settings: ApiSettings,
    store: StoreSettings,
    *,
    clock: Clock = pages.utc_now,
    configured: Configured = NOTHING_KNOWN,
    outgoing: httpx2.AsyncBaseTransport | None = None,
) -> Litestar:
    """The API and the dashboard over one database. Raises AssetsMissing where the package was built without them.

    `configured` and `outgoing` as those of the API's application.
    """
    return app.create_app(
        settings,
        store,
        extra_handlers=pages.handlers(clock=clock),
        extra_rules=rules.PAGES,
        template_config=rendering.template_config(),
        error_page=problems.error_page(settings),
        reference_assets=pages.reference_assets(settings.root),
        configured=configured,
        outgoing=outgoing,
    )
