"""`/api/v1/clusters/…/workers`: workers, what they did, and their comings and goings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter

from flower_api.reads import Reads
from flower_api.v1 import activity, parameters, shapes
from flower_api.v1.activity import Done
from flower_api.v1.names import LONGEST
from flower_store.reads import statistics, workers
from flower_store.records import Activity, WorkerRecord


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker as it last told of itself; `done` is what it did in the interval that was asked for.

    `online` follows heartbeats by the database's clock; times are in the worker's own.
    """

    hostname: str
    online: bool
    pid: int | None
    heartbeat_at: datetime | None
    offline_at: datetime | None
    seen_at: datetime | None
    freq: float | None
    active: int | None
    processed: int | None
    loadavg: list[float]
    sw_ident: str | None
    sw_ver: str | None
    sw_sys: str | None
    replied_at: datetime | None
    done: Done


class Workers(msgspec.Struct, frozen=True, kw_only=True):
    """Workers by name; `next` is the cursor of the page behind, null on the last one."""

    from_: datetime = msgspec.field(name="from")
    until: datetime
    workers: list[Worker]
    next: str | None


class WholeWorker(Worker, frozen=True, kw_only=True):
    """A worker with its last answers to inspection, by method."""

    from_: datetime = msgspec.field(name="from")
    until: datetime
    replies: Mapping[str, object]


class WorkerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """It came (`worker-online`), said goodbye (`worker-offline`), or was no longer heard of (`worker-lost`)."""

    type: str
    at: datetime
    pid: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Comings and goings, the last one first; `next` is to be given as `before` for the page behind."""

    events: list[WorkerEvent]
    next: int | None


@get(
    "/workers",
    responses=parameters.answered(Workers, "workers with what they did"),
    summary="Workers",
    tags=["workers"],
)
async def list_workers(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    hostname: Annotated[
        str | None, QueryParameter(name="hostname", description="exact, or a beginning and `*`")
    ] = None,
    online: Annotated[bool | None, QueryParameter(name="online", description="only those that are, or are not")] = None,
    since: parameters.Since = None,
    until: parameters.Until = None,
    fields: parameters.Fields = None,
    after: parameters.After = None,
    limit: parameters.Limit = 100,
) -> Response[bytes]:
    """Every worker ever heard of, in the order of names; what it did in the last day, or in the interval."""
    wanted = shapes.chosen(Worker, fields)
    begin, end = parameters.interval(since, until, longest=LONGEST)
    place, matching = parameters.text_cursor(after), parameters.text("hostname", hostname)
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        page = await workers.page(connection, cluster.id, matching=matching, online=online, after=place, limit=limit)
        found = await statistics.activity(
            connection, cluster.id, begin, end, by="worker", ids=[one.id for one in page.items]
        )
    rows = [_worker(one, found.get(one.id, statistics.IDLE)) for one in page.items]
    return shapes.listed(Workers(from_=begin, until=end, workers=rows, next=page.next), "workers", wanted)


@get(
    "/workers/{hostname:str}",
    responses=parameters.answered(WholeWorker, "the worker"),
    summary="One worker with its last answers",
    tags=["workers"],
)
async def one_worker(
    slug: FromPath[str],
    hostname: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    since: parameters.Since = None,
    until: parameters.Until = None,
    fields: parameters.Fields = None,
) -> Response[bytes]:
    """What it told of itself, what it answered to inspection, and what it did."""
    wanted = shapes.chosen(WholeWorker, fields)
    begin, end = parameters.interval(since, until, longest=LONGEST)
    cluster = await reads.cluster(slug)
    name = parameters.text("hostname", hostname) or ""
    async with reads.connect() as connection:
        found = await workers.one(connection, cluster.id, name)
        if found is None:
            raise NotFoundException(detail=f"no worker {name!r} is stored")
        did = await statistics.activity(connection, cluster.id, begin, end, by="worker", ids=[found.id])
    worker = _worker(found, did.get(found.id, statistics.IDLE))
    told = WholeWorker(**msgspec.structs.asdict(worker), from_=begin, until=end, replies=found.replies)
    return shapes.one(told, wanted)


@get(
    "/workers/{hostname:str}/history",
    responses=parameters.answered(History, "comings and goings"),
    summary="When a worker came and went",
    tags=["workers"],
)
async def history(
    slug: FromPath[str],
    hostname: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    before: Annotated[int | None, QueryParameter(name="before", ge=1, le=2**62)] = None,
    limit: parameters.Limit = 100,
) -> History:
    """Its comings and goings; what it did over time is at `/series?worker=…`."""
    cluster = await reads.cluster(slug)
    name = parameters.text("hostname", hostname) or ""
    async with reads.connect() as connection:
        found = await workers.one(connection, cluster.id, name)
        if found is None:
            raise NotFoundException(detail=f"no worker {name!r} is stored")
        events = await workers.history(connection, found.id, before=before, limit=limit + 1)
    shown = events[:limit]
    return History(
        events=[WorkerEvent(type=one.type, at=one.at, pid=one.pid) for one in shown],
        next=shown[-1].id if len(events) > limit else None,
    )


def _worker(record: WorkerRecord, did: Activity) -> Worker:
    return Worker(
        hostname=record.hostname,
        online=record.online,
        pid=record.pid,
        heartbeat_at=record.heartbeat_at,
        offline_at=record.offline_at,
        seen_at=record.seen_at,
        freq=record.freq,
        active=record.active,
        processed=record.processed,
        loadavg=list(record.loadavg),
        sw_ident=record.sw_ident,
        sw_ver=record.sw_ver,
        sw_sys=record.sw_sys,
        replied_at=record.replied_at,
        done=activity.done(did),
    )
