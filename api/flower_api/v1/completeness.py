"""`/api/v1/clusters/…/completeness`: whether all that workers say they started was seen."""

from datetime import datetime

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from flower_api.reads import Reads
from flower_api.v1 import parameters
from flower_store.reads import gaps
from flower_store.records import MissedRecord


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """An interval of a worker process in which starts were not seen. `cause` is a reason of a gap, or `unknown`."""

    worker: str
    pid: int | None
    from_: datetime = msgspec.field(name="from")
    until: datetime
    started: int
    missing: int
    repaired: int
    cause: str
    sentence: str


class Completeness(msgspec.Struct, frozen=True, kw_only=True):
    """The audit of an interval. Whole stretches are kept by the hour, so its ends are not sharp.

    - `started` is what worker processes say they started, `seen` what was seen of that.
    - `audited_until` is the last heartbeat that was weighed, by its worker's clock; null before the first.
    - `unaudited` are starts seen of workers past the bound on their number (`--max-workers`), which are not audited;
      null where there are none.
    - `intervals` are those in which something is missing, the newest first; `next` is the cursor of the page behind.
    """

    from_: datetime = msgspec.field(name="from")
    until: datetime
    audited_until: datetime | None
    started: int
    seen: int
    missing: int
    repaired: int
    unaudited: int | None
    sentence: str
    intervals: list[Missed]
    next: str | None


@get(
    "/completeness",
    responses=parameters.answered(Completeness, "what was started, seen and missed"),
    summary="Whether all task starts were seen",
    tags=["completeness"],
)
async def audit(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    since: parameters.Since = None,
    until: parameters.Until = None,
    after: parameters.After = None,
    limit: parameters.Limit = 50,
) -> Completeness:
    """The last day, or the interval that is asked for."""
    begin, end = parameters.window(since, until)
    cluster = await reads.cluster(slug)
    place = parameters.cursor(after)
    async with reads.connect() as connection:
        found = await gaps.audit(connection, cluster.id, begin, end)
        page = await gaps.missed(connection, cluster.id, since=begin, until=end, after=place, limit=limit)
    return Completeness(
        from_=begin,
        until=end,
        audited_until=found.audited_until,
        started=found.started,
        seen=found.seen,
        missing=found.missing,
        repaired=found.repaired,
        unaudited=found.unaudited,
        sentence=found.sentence,
        intervals=[_missed(one) for one in page.items],
        next=page.next,
    )


def _missed(record: MissedRecord) -> Missed:
    return Missed(
        worker=record.worker,
        pid=record.pid,
        from_=record.began_at,
        until=record.ended_at,
        started=record.started,
        missing=record.missing,
        repaired=record.repaired,
        cause=record.cause,
        sentence=f"{record.sentence}.",
    )
