"""`/api/v1/clusters/…/queues/{name}/messages`: what waits in a queue, as a collector sees it now."""

from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath, QueryParameter

from flower_api import asker
from flower_api.control import Control
from flower_api.reads import Reads
from flower_api.v1 import parameters
from flower_store import outbox
from flower_store.reads import queues
from flower_store.records import CommandRecord

MOST = 100
"""Messages of one answer."""

Field = str | int | None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A task that waits, by its message's headers; null where they do not say it. Arguments are their `repr`."""

    id: Field
    name: Field
    args: Field
    kwargs: Field
    eta: Field
    expires: Field
    retries: Field
    root_id: Field
    parent_id: Field


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    """The next one first; `complete` is False where there may be more than were asked for."""

    messages: list[Waiting]
    complete: bool


@get(
    "/queues/{name:str}/messages",
    responses=parameters.answered(Messages, "what waits")
    | {503: parameters.problem("no collector took it, or the broker does not answer or cannot show it")},
    summary="What waits in a queue",
    tags=["queues"],
)
async def messages(
    request: Request[Any, Any, Any],
    slug: FromPath[str],
    name: FromPath[str],
    reads: NamedDependency[Reads],
    control: NamedDependency[Control],
    *,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=MOST)] = 20,
) -> Messages:
    """Nothing is taken from the queue. Only where the broker allows that, which is Redis."""
    cluster = await reads.cluster(slug)
    wanted = parameters.text("name", name) or ""
    async with reads.connect() as connection:
        if await queues.one(connection, cluster.id, wanted) is None:
            raise NotFoundException(detail=f"no queue {wanted!r} is stored")
    record = await control.ask(
        outbox.Asked(
            cluster_id=cluster.id,
            kind=outbox.PEEK,
            target={"queue": wanted},
            arguments={"limit": limit},
            actor=asker.actor(request),
            origin=asker.origin(request),
        )
    )
    found = msgspec.json.decode(_answer(record), type=list[Waiting])
    return Messages(messages=found, complete=len(found) < limit)


def _answer(record: CommandRecord) -> str:
    if record.status == outbox.DONE and record.answer is not None:
        return record.answer
    told = (record.reply or {}).get("error") or "no answer came in time: ask again"
    raise HTTPException(f"it cannot be shown: {told}", status_code=503)
