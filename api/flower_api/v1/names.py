"""`/api/v1/clusters/…/names`: task names and what became of their tasks."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from flower_api.reads import Reads
from flower_api.v1 import activity, parameters, shapes
from flower_api.v1.activity import Done
from flower_store.reads import names, statistics
from flower_store.records import Activity

LONGEST = timedelta(days=400)


class TaskName(Done, frozen=True, kw_only=True):
    """A name, and what its tasks did in the interval."""

    name: str


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Names in their order, over the interval; its ends are moved to whole minutes, or to an hour where it is old."""

    from_: datetime = msgspec.field(name="from")
    until: datetime
    names: list[TaskName]
    next: str | None


@get(
    "/names",
    responses=parameters.answered(Names, "names with their statistics"),
    summary="Task names with statistics",
    tags=["statistics"],
)
async def list_names(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    name: Annotated[str | None, QueryParameter(name="name", description="exact, or a beginning and `*`")] = None,
    since: parameters.Since = None,
    until: parameters.Until = None,
    fields: parameters.Fields = None,
    after: parameters.After = None,
    limit: parameters.Limit = 100,
) -> Response[bytes]:
    """Counts, failure and retry share, run times and waits: of the last day, or of the interval that is asked for."""
    wanted = shapes.chosen(TaskName, fields)
    begin, end = parameters.interval(since, until, longest=LONGEST)
    place, matching = parameters.text_cursor(after), parameters.text("name", name)
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        page = await names.names(connection, cluster.id, matching=matching, after=place, limit=limit)
        found = await statistics.activity(
            connection, cluster.id, begin, end, by="name", ids=[one.id for one in page.items]
        )
    rows = [_name(one.name, found.get(one.id, statistics.IDLE)) for one in page.items]
    return shapes.listed(Names(from_=begin, until=end, names=rows, next=page.next), "names", wanted)


def _name(name: str, did: Activity) -> TaskName:
    return TaskName(name=name, **msgspec.structs.asdict(activity.done(did)))
