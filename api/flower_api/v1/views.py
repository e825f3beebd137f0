"""`/api/v1/views`: views that somebody saved, theirs alone or shown to all."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, put
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import JSONBody, PathParameter

from flower_api import bodies
from flower_api.access import principal as principals
from flower_api.reads import Reads
from flower_api.v1 import parameters
from flower_store import saved_views
from flower_store.saved_views import ViewRecord

_TEXT = r"^[^\x00-\x1f\x7f]*$"
_LONGEST_QUERY = 8_000

ViewId = Annotated[int, PathParameter(name="view_id", ge=1, le=2**31 - 1)]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A view: the query string of a page. `mine` says whether whoever asks may change it; `owner` is who made it."""

    id: int
    name: str
    query: str
    shared: bool
    owner: str
    mine: bool
    created_at: datetime


class Views(msgspec.Struct, frozen=True, kw_only=True):
    """One's own views and those that others share, by name."""

    views: list[View]


class Saved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A view to be saved, in place of one's own of this name."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_TEXT)]
    query: Annotated[str, msgspec.Meta(max_length=_LONGEST_QUERY, pattern=_TEXT)]
    shared: bool = False


@get("/", responses=parameters.answered(Views, "views"), summary="Saved views", tags=["views"])
async def list_views(request: Request[Any, Any, Any], reads: NamedDependency[Reads]) -> Views:
    """One's own, and those that are shared."""
    subject = principals.of(request).subject
    async with reads.connect() as connection:
        found = await saved_views.listed(connection, subject)
    return Views(views=[_view(one, subject) for one in found])


@put(
    "/",
    status_code=200,
    before_request=bodies.readable("name"),
    responses=parameters.answered(View, "the view as it is saved")
    | {403: parameters.problem("a page of another site asked")},
    summary="Save a view",
    tags=["views"],
)
async def save(request: Request[Any, Any, Any], data: JSONBody[Saved], reads: NamedDependency[Reads]) -> View:
    """For whoever asks."""
    subject = principals.of(request).subject
    async with reads.connect() as connection:
        made = await saved_views.save(connection, owner=subject, name=data.name, query=data.query, shared=data.shared)
        await connection.commit()
    if made is None:
        raise ClientException(f"name: you have {saved_views.MOST} views already, delete one first")
    return _view(made, subject)


@delete(
    "/{view_id:int}",
    status_code=204,
    responses={
        400: parameters.REFUSALS[400],
        401: parameters.REFUSALS[401],
        403: parameters.problem("a page of another site asked"),
        404: parameters.problem("there is no such view of yours"),
    },
    summary="Delete a view",
    tags=["views"],
)
async def remove(request: Request[Any, Any, Any], view_id: ViewId, reads: NamedDependency[Reads]) -> None:
    """One's own alone."""
    subject = principals.of(request).subject
    async with reads.connect() as connection:
        gone = await saved_views.delete(connection, view_id, owner=subject)
        await connection.commit()
    if not gone:
        raise NotFoundException(f"view_id: there is no view {view_id} of yours")


def _view(record: ViewRecord, subject: str) -> View:
    return View(
        id=record.id,
        name=record.name,
        query=record.query,
        shared=record.shared,
        owner=record.owner.partition(":")[2] or record.owner,
        mine=record.owner == subject,
        created_at=record.created_at,
    )
