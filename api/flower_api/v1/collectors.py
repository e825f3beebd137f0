"""`/api/v1/clusters/…/collectors`: who collects, and what it promises."""

from datetime import datetime

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from flower_api.reads import Reads
from flower_api.v1 import parameters
from flower_store.reads import clusters
from flower_store.records import CollectorRecord


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with the way that events take, which this collector found and that still holds."""

    kind: str
    sentence: str
    since: datetime


class Collector(msgspec.Struct, frozen=True, kw_only=True):
    """A collector process. `lag` is seconds from the newest stored event's time to its commit."""

    hostname: str
    pid: int
    version: str
    alive: bool
    promise: str
    started_at: datetime
    beat_at: datetime
    stopped_at: datetime | None
    broker_away_since: datetime | None
    stored: int
    set_aside: int
    lag: float | None
    findings: list[Finding]


class Collectors(msgspec.Struct, frozen=True, kw_only=True):
    """Collectors of a cluster, the one that started last first; `next` is the cursor of the page behind, null on the
    last one.
    """

    collectors: list[Collector]
    next: str | None


@get(
    "/collectors",
    responses=parameters.answered(Collectors, "collectors, the one that started last first"),
    summary="Who collects",
    tags=["completeness"],
)
async def list_collectors(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    after: parameters.After = None,
    limit: parameters.Limit = 20,
) -> Collectors:
    """What each collector promises and how far it is."""
    place = parameters.cursor(after)
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        page = await clusters.collector_page(connection, cluster.id, after=place, limit=limit)
    return Collectors(collectors=[_collector(one) for one in page.items], next=page.next)


def _collector(record: CollectorRecord) -> Collector:
    return Collector(
        hostname=record.hostname,
        pid=record.pid,
        version=record.version,
        alive=record.alive,
        promise=record.promise,
        started_at=record.started_at,
        beat_at=record.beat_at,
        stopped_at=record.stopped_at,
        broker_away_since=record.broker_away_at,
        stored=record.stored,
        set_aside=record.set_aside,
        lag=None if record.lag is None else record.lag.total_seconds(),
        findings=[Finding(kind=one.kind, sentence=one.sentence, since=one.since) for one in record.findings],
    )
