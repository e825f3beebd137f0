"""The fleet: every worker ever heard of, and how it is."""

from litestar import get
from litestar.response import Template

from flower_store.reads import workers as stored
from flower_web import fleet
from flower_web.given import GivenReads, GivenSettings
from flower_web.visit import GivenVisit

_REFRESH = 2_000
"""Milliseconds between two refreshes; heartbeats come every two seconds."""


@get("/c/{cluster:str}/workers", include_in_schema=False)
async def workers(reads: GivenReads, visit: GivenVisit, api_settings: GivenSettings) -> Template:
    """The fleet table."""
    async with reads.connect() as connection:
        found = await stored.workers(connection, visit.cluster.id, purge=api_settings.purge_offline_workers)
    frame = visit.frame("Workers", here="workers", interval=_REFRESH)
    return Template("workers.html", context={"frame": frame, "workers": fleet.fleet(found)})
