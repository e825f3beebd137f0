"""`/api/v1/clusters/…/commands`: to ask workers for something; what was asked, by whom, and what became of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, HTTPException, NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from flower_api import asker, bodies
from flower_api.access import permissions
from flower_api.control import REPLY_WITHIN, Control
from flower_api.reads import Reads
from flower_api.v1 import asked, parameters
from flower_store import outbox
from flower_store.reads import commands, queues, workers
from flower_store.records import CommandRecord

LONGEST_WAIT = 60.0
"""Seconds that a request may wait for replies."""

USUAL_WAIT = REPLY_WITHIN.total_seconds()
Wait = Annotated[
    float, QueryParameter(name="wait", ge=0, le=LONGEST_WAIT, description="seconds to wait for replies, at most")
]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command. Its log is append-only and holds no secrets and no results of tasks.

    - `status`: `waiting` for a collector, `running`, `done`; `failed`: not executed, `reply` says why; `expired`:
      nobody took it in time, it never will be; `unknown`: it was taken and it cannot be known whether it took effect,
      because the collector is gone or its line broke in the middle.
    - `reply` holds each worker's own reply under `workers`; of `purge_queue` how many messages were `purged`.
    """

    id: int
    kind: str
    status: str
    target: Mapping[str, Any]
    arguments: Mapping[str, Any]
    actor: str
    origin: str
    reason: str
    asked_at: datetime
    expires_at: datetime
    claimed_at: datetime | None
    ended_at: datetime | None
    collector: str | None
    reply: Mapping[str, Any] | None


class Commands(msgspec.Struct, frozen=True, kw_only=True):
    """Commands, the newest first; `next` is the cursor of the page behind, null on the last one."""

    commands: list[Command]
    next: str | None


@get(
    "/commands",
    responses=parameters.answered(Commands, "commands, the newest first"),
    summary="What was asked of workers",
    tags=["control"],
)
async def list_commands(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    kind: Annotated[
        str | None, QueryParameter(name="kind", description=f"comma: or; {', '.join(outbox.KINDS)}")
    ] = None,
    after: parameters.After = None,
    limit: parameters.Limit = 50,
) -> Commands:
    """All, or those of some kinds. Lookups of results are kept for ten minutes, told where `result` is asked for."""
    place, kinds = parameters.cursor(after), parameters.choices("kind", kind, outbox.KINDS)
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        page = await commands.page(connection, cluster.id, kinds=kinds, after=place, limit=limit)
    return Commands(commands=[_command(one) for one in page.items], next=page.next)


@get(
    "/commands/{command_id:int}",
    responses=parameters.answered(Command, "the command"),
    summary="What became of it",
    tags=["control"],
)
async def one_command(
    slug: FromPath[str],
    command_id: Annotated[int, PathParameter(name="command_id", ge=1, le=2**62)],
    reads: NamedDependency[Reads],
) -> Command:
    """One command, by the number that a request was answered with."""
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        found = await commands.one(connection, cluster.id, command_id)
    if found is None:
        raise NotFoundException(f"no command of this cluster has the number {command_id}")
    return _command(found)


@post(
    "/commands",
    status_code=200,
    before_request=bodies.readable("kind"),
    responses=parameters.answered(Command, "it has ended: `reply` tells what each worker said")
    | {
        202: ResponseSpec(Command, description="no reply yet: `Location` will tell its end", generate_examples=False),
        403: parameters.problem("whoever asks may not, or a page of another site asked, or the process only reads"),
        409: parameters.problem("the queue holds more than was seen: nothing was done"),
        503: parameters.problem("no collector took it, or the broker does not answer: nothing was done"),
    },
    summary="Ask workers for something",
    tags=["control"],
)
async def ask(
    request: Request[Any, Any, Any],
    slug: FromPath[str],
    data: JSONBody[asked.AnyAsked],
    reads: NamedDependency[Reads],
    control: NamedDependency[Control],
    *,
    wait: Wait = USUAL_WAIT,
) -> Response[Command]:
    """At most once, and never late: what no collector takes within seconds expires.

    A worker's refusal is a reply: the command is `done` all the same, and `reply` has its words.
    """
    kind = str(data.__struct_config__.tag)
    # All that one command names is of this one cluster, so this holds for each of its rows.
    cluster = await reads.cluster(slug, permissions.BY_KIND[kind])
    command = await _checked(reads, cluster.id, data)
    asking = outbox.Asked(
        cluster_id=cluster.id,
        kind=kind,
        target=command.target,
        arguments=command.arguments,
        actor=asker.actor(request),
        origin=asker.origin(request),
        reason=data.reason,
    )
    record = await control.ask(asking, reply_within=timedelta(seconds=wait))
    address = f"{request.url.path}/{record.id}"
    if record.status == outbox.FAILED:
        raise _not_done(record, address)
    ended = record.ended_at is not None
    return Response(_command(record), status_code=200 if ended else 202, headers={"Location": address})


async def _checked(reads: Reads, cluster_id: int, data: asked.AnyAsked) -> asked.Told:
    """What is asked, of whom and what is known."""
    try:
        told = asked.told(data)
    except asked.BadCommand as error:
        raise ClientException(str(error)) from error
    worker, name, queue = (told.target.get(one) for one in ("worker", "name", "queue"))
    async with reads.connect() as connection:
        if worker is not None and not await workers.known(connection, cluster_id, str(worker)):
            raise NotFoundException(f"worker: no worker `{worker}` has been heard of in this cluster")
        if name is not None and not await workers.task_known(connection, cluster_id, str(name)):
            raise NotFoundException(f"name: no task `{name}` has been heard of in this cluster")
        if queue is not None and await queues.one(connection, cluster_id, str(queue)) is None:
            raise NotFoundException(f"queue: no queue `{queue}` has been heard of in this cluster")
    return told


def _not_done(record: CommandRecord, address: str) -> HTTPException:
    reply = record.reply or {}
    status = {"refused": 400, "changed": 409, "unavailable": 503, "late": 503, "untaken": 503}.get(
        str(reply.get("cause")), 500
    )
    words = f"it was not done: {reply.get('error') or 'no reason is known'}"
    return HTTPException(words, status_code=status, headers={"Location": address})


def _command(record: CommandRecord) -> Command:
    return Command(**{name: getattr(record, name) for name in Command.__struct_fields__})
