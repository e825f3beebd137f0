"""`/api/queues/length`: how full queues were when a collector last asked the broker."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery

from flower_api.flower2 import answers, arguments
from flower_api.flower2.tasks import REFUSALS
from flower_api.reads import NoCluster, Reads
from flower_store.queue_records import QueueRecord
from flower_store.reads import queues

_SUPPORTED = frozenset({"amqp", "redis"})
"""Transports of which Flower could tell."""


class Lengths(msgspec.Struct, frozen=True):
    """One object a queue."""

    active_queues: list[Mapping[str, object]]


@get(
    "/queues/length",
    responses={
        200: ResponseSpec(Lengths, description="queues with their messages", generate_examples=False),
        **REFUSALS,
    },
    summary="List how many messages queues hold",
)
async def lengths(
    request: Request[Any, Any, Any], reads: NamedDependency[Reads], *, cluster: FromQuery[str | None] = None
) -> Response[bytes]:
    """Of the queues that workers consume, or did; no broker is asked, collectors do that all the time."""
    try:
        found = await reads.cluster(arguments.text(cluster))
    except NoCluster:
        return answers.json(request, msgspec.json.encode(Lengths([])))
    if found.transport not in _SUPPORTED:
        raise NotFoundException(f"'{found.broker.partition('://')[0]}' broker is not supported")
    async with reads.connect() as connection:
        known = await queues.active(connection, found.id)
    told = _of_rabbitmq if found.transport == "amqp" else _of_redis
    return answers.json(request, msgspec.json.encode(Lengths([told(one) for one in known])))


def _of_redis(queue: QueueRecord) -> Mapping[str, object]:
    return {"name": queue.name, "messages": queue.waiting}


def _of_rabbitmq(queue: QueueRecord) -> Mapping[str, object]:
    """As the management API names it."""
    return {
        "name": queue.name,
        "messages": queue.waiting if queue.messages is None else queue.messages,
        "messages_ready": queue.ready,
        "messages_unacknowledged": queue.unacked,
        "consumers": queue.consumers,
    }
