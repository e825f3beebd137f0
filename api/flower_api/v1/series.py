"""`/api/v1/clusters/…/series`: what was done over time, from the rollups and histograms."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from flower_api.reads import Reads
from flower_api.v1 import activity, parameters
from flower_api.v1.activity import Done
from flower_api.v1.names import LONGEST
from flower_store.reads import buckets, names, statistics, workers
from flower_store.records import Point

MOST = 20
"""Series in one answer where they are split: those of the most events."""

_HOUR = timedelta(hours=1)


class Step(Done, frozen=True, kw_only=True):
    """One step; `at` is its beginning."""

    at: datetime


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One series; `name` is that of the task or the worker, null where nothing is split or no event told it."""

    name: str | None
    points: list[Step]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Steps of `step` seconds from `from` to `until`, empty ones included; at most some 120 of them."""

    from_: datetime = msgspec.field(name="from")
    until: datetime
    step: float
    series: list[Line]


@get(
    "/series",
    responses=parameters.answered(Series, "series"),
    summary="Throughput, shares, run times and waits over time",
    tags=["statistics"],
)
async def series(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    name: Annotated[str | None, QueryParameter(name="name", description="exact, or a beginning and `*`")] = None,
    worker: Annotated[str | None, QueryParameter(name="worker", description="exact, or a beginning and `*`")] = None,
    by: Annotated[
        Literal["name", "worker"] | None, QueryParameter(name="by", description=f"split; the {MOST} with most events")
    ] = None,
    since: parameters.Since = None,
    until: parameters.Until = None,
) -> Series:
    """Of the last hour, or of the interval; of everything, or of some names or workers."""
    begin, end = parameters.interval(since, until, length=_HOUR, longest=LONGEST)
    begin, end, step = buckets.stepped(begin, end, datetime.now(UTC))
    of_name, of_worker = parameters.text("name", name), parameters.text("worker", worker)
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        found = await statistics.series(
            connection,
            cluster.id,
            begin,
            end,
            step=step,
            by=by,
            name_ids=None if of_name is None else await names.ids(connection, cluster.id, of_name),
            worker_ids=None if of_worker is None else await workers.ids(connection, cluster.id, of_worker),
            most=MOST,
        )
        called = await names.called(connection, cluster.id, by, found) if by else {}
    lines = [Line(name=called.get(one), points=[_step(point) for point in points]) for one, points in found.items()]
    return Series(from_=begin, until=end, step=step.total_seconds(), series=lines)


def _step(point: Point) -> Step:
    return Step(at=point.at, **msgspec.structs.asdict(activity.done(point.activity)))
