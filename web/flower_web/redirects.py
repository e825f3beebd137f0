"""Where an address without a cluster leads: the start page, and Flower's own addresses, which are in bookmarks."""

from dataclasses import replace

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Redirect, Template
from litestar.types import ControllerRouterHandler

from flower_api.flower2 import fleet
from flower_api.reads import NoCluster, Reads
from flower_api.settings import ApiSettings
from flower_store.reads import tasks as stored
from flower_web import task_query
from flower_web.addresses import Addresses
from flower_web.frame import Frame
from flower_web.given import GivenNow, GivenReads, GivenSettings

_AnyRequest = Request[object, object, State]


@get("/", include_in_schema=False)
async def home(
    request: _AnyRequest, reads: GivenReads, api_settings: GivenSettings, now: GivenNow
) -> Template | Redirect | Response[bytes]:
    """The cluster that is meant; before the first one is stored, what to do."""
    if fleet.wanted(request):
        return await fleet.rows(request, reads, purge=api_settings.purge_offline_workers)
    try:
        return Redirect((await _meant(reads, api_settings)).overview)
    except NoCluster:
        frame = Frame("Waiting for the first event", Addresses(api_settings.root), now)
        return Template("empty.html", context={"frame": frame})


@get("/dashboard", include_in_schema=False)
async def dashboard(reads: GivenReads, api_settings: GivenSettings) -> Redirect:
    """Flower's overview."""
    return Redirect((await _meant(reads, api_settings)).overview)


@get("/tasks", include_in_schema=False)
async def tasks(request: _AnyRequest, reads: GivenReads, api_settings: GivenSettings) -> Redirect:
    """Flower's list, with its filters."""
    query = task_query.parsed(request.query_params)
    return Redirect((await _meant(reads, api_settings)).tasks(replace(query, after="").pairs))


@get("/task/{task_id:path}", include_in_schema=False)
async def task(reads: GivenReads, api_settings: GivenSettings, task_id: FromPath[str]) -> Redirect:
    """One task, in whichever cluster knows it; in the one that is meant where none does."""
    wanted = str(task_id).removeprefix("/")
    meant = await _meant(reads, api_settings)
    clusters = await reads.clusters() if "\0" not in wanted else []
    async with reads.connect() as connection:
        for cluster in clusters:
            if await stored.by_ids(connection, cluster.id, [wanted]):
                return Redirect(replace(meant, cluster=cluster.slug).task(wanted))
    return Redirect(meant.task(wanted))


@get(["/workers", "/worker/{hostname:str}"], include_in_schema=False)
async def workers(request: _AnyRequest, reads: GivenReads, api_settings: GivenSettings) -> Redirect | Response[bytes]:
    """Flower's workers, and one of them; with `json=1` not the page but its rows."""
    if fleet.wanted(request):
        return await fleet.rows(request, reads, purge=api_settings.purge_offline_workers)
    return Redirect((await _meant(reads, api_settings)).workers)


async def _meant(reads: Reads, api_settings: ApiSettings) -> Addresses:
    return Addresses(api_settings.root, (await reads.cluster()).slug)


HANDLERS: tuple[ControllerRouterHandler, ...] = (home, dashboard, tasks, task, workers)
