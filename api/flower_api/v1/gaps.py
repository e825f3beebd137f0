"""`/api/v1/clusters/…/gaps`: when events were, or may have been, lost, and why."""

from datetime import UTC, datetime

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from flower_api.reads import Reads
from flower_api.v1 import parameters
from flower_store.reads import gaps
from flower_store.records import GapRecord


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """One gap.

    - `count` is the number of events lost, null where it is not known; `count_exact` is false where there may be more.
    - `starts_missing` is what the audit misses in it: tasks that workers started and nobody told of; `starts_repaired`
      is how many of them were closed with what the result backend knew.
    - `unfinished` is how many tasks were heard of at most an hour before its end, not since, and have no end;
      `unfinished_exact` is false where there are more. A task of which no event came at all has no id here.
    """

    from_: datetime = msgspec.field(name="from")
    until: datetime
    reason: str
    sentence: str
    detail: str
    count: int | None
    count_exact: bool
    starts_missing: int
    starts_repaired: int
    unfinished: int
    unfinished_exact: bool


class Gaps(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps, the one that ended last first; `next` is the cursor of the page behind, null on the last one."""

    gaps: list[Gap]
    next: str | None


@get(
    "/gaps",
    responses=parameters.answered(Gaps, "gaps that touch the interval"),
    summary="When events were lost",
    tags=["completeness"],
)
async def list_gaps(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    since: parameters.Since = None,
    until: parameters.Until = None,
    after: parameters.After = None,
    limit: parameters.Limit = 50,
) -> Gaps:
    """All gaps, or those that touch an interval."""
    begin, end = parameters.times(since, until, datetime.now(UTC))
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        page = await gaps.gaps(
            connection,
            cluster.id,
            since=begin,
            until=end,
            after=parameters.cursor(after),
            limit=limit,
        )
    return Gaps(gaps=[_gap(one) for one in page.items], next=page.next)


def _gap(record: GapRecord) -> Gap:
    return Gap(
        from_=record.started_at,
        until=record.ended_at,
        reason=record.reason,
        sentence=record.sentence,
        detail=record.detail,
        count=record.count,
        count_exact=record.count is not None and not record.at_least,
        starts_missing=record.missing,
        starts_repaired=record.repaired,
        unfinished=record.unfinished.value,
        unfinished_exact=record.unfinished.exact,
    )
