"""`/api/v1/clusters/…/queues`: how full queues are and were, as collectors asked the broker."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter

from flower_api.reads import Reads
from flower_api.v1 import parameters, shapes
from flower_store.queue_records import QueuePoint, QueueRecord
from flower_store.reads import buckets, queues
from flower_store.records import ClusterRecord

_HOUR = timedelta(hours=1)
_LONGEST = timedelta(days=366)
_NOTHING = (
    "Nothing is told of how full queues are: no collector has asked lately, or a {transport} broker does not tell."
)


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A queue as the broker told of it `at`; null where it did not tell, all of it where nobody asked for a day.

    `ready` wait, `unacked` were given to a consumer, `messages` are both. `oldest_age` is in seconds. `workers` that
    live say that they consume it. `abandoned`: messages wait and nobody consumes; null where that is not known now.
    """

    name: str
    at: datetime | None
    messages: int | None
    ready: int | None
    unacked: int | None
    consumers: int | None
    oldest_at: datetime | None
    oldest_age: float | None
    workers: list[str]
    abandoned: bool | None


class Queues(msgspec.Struct, frozen=True, kw_only=True):
    """Queues by name; `next` is the cursor of the page behind. `sentence` says why none of them tells anything."""

    queues: list[Queue]
    next: str | None
    sentence: str | None


class QueueStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step, which begins `at`: as last sampled in it, and the extremes of all its samples; null without one."""

    at: datetime
    messages: int | None = None
    ready: int | None = None
    unacked: int | None = None
    consumers: int | None = None
    most_waiting: int | None = None
    fewest_consumers: int | None = None
    longest_wait: float | None = None


class QueueHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Steps of `step` seconds from `from` to `until`, empty ones included; at most some 120 of them."""

    from_: datetime = msgspec.field(name="from")
    until: datetime
    step: float
    points: list[QueueStep]


@get("/queues", responses=parameters.answered(Queues, "queues"), summary="Queues", tags=["queues"])
async def list_queues(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    name: Annotated[str | None, QueryParameter(name="name", description="exact, or a beginning and `*`")] = None,
    fields: parameters.Fields = None,
    after: parameters.After = None,
    limit: parameters.Limit = 100,
) -> Response[bytes]:
    """Every queue ever heard of, in the order of names, with its last sample."""
    wanted = shapes.chosen(Queue, fields)
    place, matching = parameters.text_cursor(after), parameters.text("name", name)
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        page = await queues.page(connection, cluster.id, matching=matching, after=place, limit=limit)
    rows = [_queue(record) for record in page.items]
    return shapes.listed(Queues(queues=rows, next=page.next, sentence=_sentence(page.items, cluster)), "queues", wanted)


@get("/queues/{name:str}", responses=parameters.answered(Queue, "the queue"), summary="One queue", tags=["queues"])
async def one_queue(
    slug: FromPath[str], name: FromPath[str], reads: NamedDependency[Reads], *, fields: parameters.Fields = None
) -> Response[bytes]:
    """With its last sample."""
    wanted = shapes.chosen(Queue, fields)
    return shapes.one(_queue(await _found(reads, slug, name)), wanted)


@get(
    "/queues/{name:str}/history",
    responses=parameters.answered(QueueHistory, "the queue over time"),
    summary="How full a queue was over time",
    tags=["queues"],
)
async def history(
    slug: FromPath[str],
    name: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    since: parameters.Since = None,
    until: parameters.Until = None,
) -> QueueHistory:
    """Of the last hour, or of the interval; in steps as long as those of `/series`."""
    begin, end = parameters.window(since, until, length=_HOUR, longest=_LONGEST)
    begin, end, step = buckets.stepped(begin, end)
    queue = await _found(reads, slug, name)
    async with reads.connect() as connection:
        found = {point.at: point for point in await queues.history(connection, queue.id, begin, end, step=step)}
    times = [begin + step * number for number in range((end - begin) // step)]
    return QueueHistory(
        from_=begin, until=end, step=step.total_seconds(), points=[_step(at, found.get(at)) for at in times]
    )


async def _found(reads: Reads, slug: str, name: str) -> QueueRecord:
    cluster = await reads.cluster(slug)
    wanted = parameters.text("name", name) or ""
    async with reads.connect() as connection:
        found = await queues.one(connection, cluster.id, wanted)
    if found is None:
        raise NotFoundException(detail=f"no queue {wanted!r} is stored")
    return found


def _queue(record: QueueRecord) -> Queue:
    return Queue(
        name=record.name,
        at=record.at,
        messages=record.messages,
        ready=record.ready,
        unacked=record.unacked,
        consumers=record.consumers,
        oldest_at=record.oldest_at,
        oldest_age=_seconds(record.oldest_age),
        workers=list(record.workers),
        abandoned=record.abandoned,
    )


def _step(at: datetime, point: QueuePoint | None) -> QueueStep:
    if point is None:
        return QueueStep(at=at)
    return QueueStep(
        at=at,
        messages=point.messages,
        ready=point.ready,
        unacked=point.unacked,
        consumers=point.consumers,
        most_waiting=point.most_waiting,
        fewest_consumers=point.fewest_consumers,
        longest_wait=_seconds(point.longest_wait),
    )


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(max(length.total_seconds(), 0.0), 3)


def _sentence(shown: Sequence[QueueRecord], cluster: ClusterRecord) -> str | None:
    if any(record.recent for record in shown):
        return None
    return _NOTHING.format(transport=cluster.transport or "such a")
