"""`/api/workers`: who is alive, and what workers last answered to the collector's inspection."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery

from flower_api.flower2 import answers, arguments
from flower_api.flower2.tasks import REFUSALS, cluster_id
from flower_api.operations import also
from flower_api.reads import Reads
from flower_store.reads import workers
from flower_store.records import WorkerRecord


@get(
    "/workers",
    operation_class=also(400, "text/plain"),
    responses={
        200: ResponseSpec(
            dict[str, dict[str, object] | bool],
            description="replies by worker and inspect method, or with `status` whether each is alive",
            generate_examples=False,
        ),
        **REFUSALS,
    },
    summary="List workers",
)
async def list_workers(
    request: Request[Any, Any, Any],
    reads: NamedDependency[Reads],
    *,
    refresh: FromQuery[str | None] = None,
    workername: FromQuery[str | None] = None,
    status: FromQuery[str | None] = None,
    cluster: FromQuery[str | None] = None,
) -> Response[bytes]:
    """What workers last answered. `refresh` is understood and not needed: collectors ask them all the time."""
    arguments.flag(refresh)
    only_alive = arguments.flag(status)
    found = await cluster_id(reads, cluster)
    async with reads.connect() as connection:
        known = await workers.workers(connection, found)
    document = _alive(known) if only_alive else _replies(known, arguments.text(workername))
    return answers.json(request, msgspec.json.encode(document))


def _alive(known: list[WorkerRecord]) -> Mapping[str, object]:
    return {worker.hostname: worker.online for worker in known}


def _replies(known: list[WorkerRecord], name: str | None) -> Mapping[str, object]:
    replies = {
        worker.hostname: {**worker.replies, "timestamp": worker.replied_at.timestamp()}
        for worker in known
        if worker.replied_at is not None
    }
    if name is None:
        return replies
    if name not in replies:
        raise NotFoundException(f"Unknown worker '{name}'")
    return {name: replies[name]}
