"""Failures in groups: which errors there are, how often in the last hour, day and week, and what was decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect, Template

from flower_api import asker
from flower_api.access.permissions import Permission
from flower_store import groups
from flower_store.reads import buckets, error_groups
from flower_store.reads.error_groups import ErrorGroup, Wanted
from flower_web.given import GivenReads
from flower_web.visit import GivenVisit

_MOST = 100
_REFRESH = 2_000
"""Milliseconds between two refreshes: its numbers come from counts by the minute."""

_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
_BARS = 24
_HEIGHT = 20


@dataclass(frozen=True, slots=True)
class Tab:
    """One status, and where its groups are shown."""

    label: str
    address: str
    on: bool


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group with its failures in the last hour, day and week, and by the hour of the last day."""

    group: ErrorGroup
    hour: int
    week: int
    hours: Sequence[int]

    @property
    def title(self) -> str:
        """The exception and what it says."""
        kind = self.group.exception or "(no exception told)"
        return f"{kind}: {self.group.message}" if self.group.message else kind

    @property
    def bars(self) -> Sequence[tuple[int, int]]:
        """Where each hour with failures stands in a drawing of `_BARS` by `_HEIGHT`, and how high."""
        most = max(self.hours, default=0)
        return [(at, max(2, _HEIGHT * count // most)) for at, count in enumerate(self.hours) if count]


@dataclass(frozen=True, slots=True)
class Errors:
    """What the page shows."""

    tabs: Sequence[Tab]
    rows: Sequence[GroupRow]
    status: str
    more: bool
    forbidden: str
    """Why nothing can be decided here; empty where it can."""
    token: str
    """What a form of this session brings back; empty without a session."""


@get("/c/{cluster:str}/errors", include_in_schema=False)
async def errors(request: Request[object, object, State], reads: GivenReads, visit: GivenVisit) -> Template:
    """Open groups, or those of another status; that which failed last first."""
    given = request.query_params.get("status", "")
    status = given if given in groups.STATUSES else groups.OPEN
    cluster_id, now = visit.cluster.id, visit.now
    day = buckets.floor(now, buckets.HOUR) + buckets.HOUR
    async with reads.connect() as connection:
        wanted = Wanted(cluster_id=cluster_id, statuses=[status])
        page = await error_groups.page(connection, wanted, *buckets.interval(now - _DAY, now, now), limit=_MOST)
        ids = [one.id for one in page.items]
        counts = {
            length: await error_groups.counts(connection, cluster_id, ids, *buckets.interval(now - length, now, now))
            for length in (_HOUR, _WEEK)
        }
        series = await error_groups.series(connection, cluster_id, ids, day - _DAY, day, step=_HOUR)
    shown = Errors(
        [Tab(one.capitalize(), visit.addresses.errors(one), one == status) for one in groups.STATUSES],
        [_row(one, counts, series) for one in page.items],
        status,
        page.next is not None,
        visit.forbidden(Permission.DECIDE),
        visit.who.form_token,
    )
    frame = visit.frame("Errors", here="errors", interval=_REFRESH)
    return Template("errors.html", context={"frame": frame, "page": shown})


@post("/c/{cluster:str}/errors/{group_id:int}", include_in_schema=False)
async def decide(
    request: Request[object, object, State],
    reads: GivenReads,
    visit: GivenVisit,
    group_id: FromPath[int],
) -> Redirect:
    """Set the status of a group, and go back to the list; the change is in the log of commands."""
    form = await request.form()
    status, shown = (str(form.get(name, "")) for name in ("status", "shown"))
    if status not in groups.STATUSES:
        raise ClientException(f"status: must be one of {', '.join(groups.STATUSES)}")
    known = 0 < group_id < 2**31
    if known:
        async with reads.connect() as connection:
            known = await error_groups.set_status(
                connection,
                visit.cluster.id,
                group_id,
                status,
                actor=asker.actor(request),
                origin=asker.origin(request),
                reason="",
            )
    if not known:
        raise NotFoundException(f"No group of errors of this cluster has the number {group_id}.")
    return Redirect(visit.addresses.errors(shown if shown in groups.STATUSES else ""), status_code=303)


def _row(
    group: ErrorGroup,
    counts: Mapping[timedelta, Mapping[int, int]],
    series: Mapping[int, list[tuple[datetime, int]]],
) -> GroupRow:
    hour, week = (counts[length].get(group.id, 0) for length in (_HOUR, _WEEK))
    return GroupRow(group, hour, week, [count for _, count in series[group.id]])
