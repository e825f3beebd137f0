"""`/api/v1/clusters/…/errors`: failures that are alike, as groups; what was decided about one."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, patch
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from flower_api import asker, bodies
from flower_api.reads import Reads
from flower_api.v1 import parameters, shapes
from flower_api.v1.names import LONGEST
from flower_store import groups
from flower_store.reads import buckets, error_groups
from flower_store.reads.error_groups import ErrorGroup, Wanted

GroupId = Annotated[int, PathParameter(name="group_id", ge=1, le=2**31 - 1)]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Failures with the same exception, message (without numbers, ids, quoted values and the like) and frame.

    - `frame` is the innermost one that is not a library's; it is empty where no traceback was told.
    - `count` is the number of failures in the interval, `total` of all, `names` and `workers` whose they were in the
      interval, those with most of them first, at most 20 of each. They are of events: `sample`, the id of the newest
      task, may be of one whose failure only the result backend knew.
    - `status` is `open`, `resolved` or `ignored`, since `changed_at`. A resolved group that fails later is open again;
      `regressed` says so, and `regressed_at` when, until its status is set.
    """

    id: int
    exception: str
    message: str
    frame: str
    status: str
    regressed: bool
    regressed_at: datetime | None
    changed_at: datetime | None
    count: int
    total: int
    first_at: datetime
    last_at: datetime
    names: list[str]
    workers: list[str]
    sample: str | None


class Groups(msgspec.Struct, frozen=True, kw_only=True):
    """Groups, and the interval of which `count` is; its ends are moved to whole minutes, or to an hour where it is old.

    `next` is the cursor of the page behind, null on the last one.
    """

    from_: datetime = msgspec.field(name="from")
    until: datetime
    errors: list[Group]
    next: str | None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Failures of one step; `at` is its beginning."""

    at: datetime
    count: int


class GroupOverTime(Group, frozen=True, kw_only=True):
    """A group, and its failures in steps of `step` seconds from `from` to `until`, empty ones included.

    `traceback` is that of the failure of `sample`, null where none was told.
    """

    traceback: str | None
    from_: datetime = msgspec.field(name="from")
    until: datetime
    step: float
    series: list[Failed]


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a group; `reason` goes into the log of commands with it."""

    status: Literal["open", "resolved", "ignored"]
    reason: Annotated[str, msgspec.Meta(max_length=asker.MAX_REASON, pattern=r"^[^\x00]*$")] = ""


@get(
    "/errors",
    responses=parameters.answered(Groups, "groups, that which failed last first"),
    summary="Failures in groups",
    tags=["errors"],
)
async def list_errors(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    status: Annotated[
        str | None, QueryParameter(name="status", description=f"comma: or; {', '.join(groups.STATUSES)}")
    ] = None,
    sort: Annotated[
        error_groups.Sort,
        QueryParameter(name="sort", description="`last`: failed last; `first`: new last, in which no group moves"),
    ] = "last",
    since: parameters.Since = None,
    until: parameters.Until = None,
    fields: parameters.Fields = None,
    after: parameters.After = None,
    limit: parameters.Limit = 50,
) -> Response[bytes]:
    """All groups, or those of some statuses, with what they did in the last day or in the interval."""
    chosen = shapes.chosen(Group, fields)
    begin, end = parameters.interval(since, until, longest=LONGEST)
    place, statuses = parameters.cursor(after), parameters.choices("status", status, groups.STATUSES)
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        page = await error_groups.page(
            connection,
            Wanted(cluster_id=cluster.id, statuses=statuses or None),
            begin,
            end,
            sort=sort,
            after=place,
            limit=limit,
        )
    found = [_group(one) for one in page.items]
    return shapes.listed(Groups(from_=begin, until=end, errors=found, next=page.next), "errors", chosen)


@get(
    "/errors/{group_id:int}",
    responses=parameters.answered(GroupOverTime, "the group and its failures over time"),
    summary="One group of failures",
    tags=["errors"],
)
async def one_error(
    slug: FromPath[str],
    group_id: GroupId,
    reads: NamedDependency[Reads],
    *,
    since: parameters.Since = None,
    until: parameters.Until = None,
) -> GroupOverTime:
    """Over the last day, or over the interval."""
    cluster = await reads.cluster(slug)
    return await _over_time(reads, cluster.id, group_id, *parameters.interval(since, until, longest=LONGEST))


@patch(
    "/errors/{group_id:int}",
    before_request=bodies.readable("status"),
    responses=parameters.answered(GroupOverTime, "the group as it is now")
    | {403: parameters.problem("a page of another site asked, or the process only reads")},
    summary="Resolve, ignore or open a group of failures",
    tags=["errors"],
)
async def decide(
    request: Request[Any, Any, Any],
    slug: FromPath[str],
    group_id: GroupId,
    data: JSONBody[Decision],
    reads: NamedDependency[Reads],
) -> GroupOverTime:
    """The change is a command of the kind `error_group` in the log. What changes nothing is not logged."""
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        known = await error_groups.set_status(
            connection,
            cluster.id,
            group_id,
            data.status,
            actor=asker.actor(request),
            origin=asker.origin(request),
            reason=data.reason,
        )
    if not known:
        raise _unknown(group_id)
    return await _over_time(reads, cluster.id, group_id, *parameters.interval(None, None, longest=LONGEST))


async def _over_time(reads: Reads, cluster_id: int, group_id: int, begin: datetime, end: datetime) -> GroupOverTime:
    begin, end, step = buckets.stepped(begin, end, datetime.now(UTC))
    async with reads.connect("REPEATABLE READ") as connection:
        found = await error_groups.one(connection, cluster_id, group_id, begin, end)
        if found is None:
            raise _unknown(group_id)
        traceback = await error_groups.traceback(connection, cluster_id, found)
        series = await error_groups.series(connection, cluster_id, [group_id], begin, end, step=step)
    return GroupOverTime(
        traceback=traceback,
        from_=begin,
        until=end,
        step=step / timedelta(seconds=1),
        series=[Failed(at=at, count=count) for at, count in series[group_id]],
        **msgspec.structs.asdict(_group(found)),
    )


def _unknown(group_id: int) -> NotFoundException:
    return NotFoundException(f"group_id: no group of errors of this cluster has the number {group_id}")


def _group(found: ErrorGroup) -> Group:
    return Group(
        id=found.id,
        exception=found.exception,
        message=found.message,
        frame=found.frame,
        status=found.status,
        regressed=found.regressed_at is not None,
        regressed_at=found.regressed_at,
        changed_at=found.changed_at,
        count=found.affected.count,
        total=found.total,
        first_at=found.first_at,
        last_at=found.last_at,
        names=list(found.affected.names),
        workers=list(found.affected.workers),
        sample=found.sample,
    )
