"""What every address of control shares: arguments from query or form, who asks, and answers in Flower's words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery

from flower_api import asker
from flower_api.control import NOBODY, REPLY_WITHIN, Control, NotTaken
from flower_api.flower2 import answers, arguments
from flower_api.flower2.tasks import REFUSALS
from flower_api.reads import NoCluster, Reads
from flower_store import outbox
from flower_store.events import MAX_NAME, MAX_TASK_ID
from flower_store.outbox import Asked
from flower_store.reads import workers
from flower_store.records import ClusterRecord, CommandRecord

AnyRequest = Request[Any, Any, Any]

UNAVAILABLE = "Broker or result backend unavailable"
_NOTHING: Mapping[str, object] = {}
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was done, in Flower's words."""

    message: str


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """It is being done, and no reply came in time: `command` is where its end will stand."""

    message: str
    command: str
    task_id: str | msgspec.UnsetType = msgspec.field(name="task-id", default=msgspec.UNSET)


def _spec(kind: type, description: str) -> ResponseSpec:
    return ResponseSpec(kind, description=description, generate_examples=False)


def _text(description: str) -> ResponseSpec:
    return ResponseSpec(str, description=description, media_type="text/plain", generate_examples=False)


def answered(kind: type, description: str) -> dict[int, ResponseSpec]:
    """The answers of an address, for the reference."""
    return {
        200: _spec(kind, description),
        202: _spec(Accepted, "it is being done, and no reply came in time"),
        400: _text("an argument cannot be read, or is missing"),
        403: _text("the worker refused it, or a page of another site asked"),
        **REFUSALS,
        503: _text("no collector, no broker or no result backend"),
    }


@dataclass(frozen=True, slots=True)
class Asking:
    """One request for control: its cluster, its arguments, and the way to have something done."""

    request: AnyRequest
    cluster: ClusterRecord
    form: Mapping[str, str]
    reason: str
    reads: Reads
    control: Control

    def given(self, name: str, query: str | None) -> str | None:
        """The argument, from the form before the query, as Flower takes the last one; None where it was not given."""
        return self.form.get(name, query)

    def required(self, name: str, query: str | None) -> str:
        """A text that must be given."""
        found = arguments.text(self.given(name, query))
        if found is None:
            raise ClientException(f"Missing argument {name}")
        return found

    async def worker(self, name: str) -> None:
        """Refuse a worker that nobody has heard of."""
        async with self.reads.connect() as connection:
            if not await workers.known(connection, self.cluster.id, name):
                raise NotFoundException(f"Unknown worker '{name}'")

    async def task(self, name: str) -> None:
        """Refuse a task that nobody has heard of, and that no worker has registered."""
        async with self.reads.connect() as connection:
            if not await workers.task_known(connection, self.cluster.id, name):
                raise NotFoundException(f"Unknown task '{name}'")

    async def ask(
        self,
        kind: str,
        *,
        target: Mapping[str, object],
        arguments: Mapping[str, object] = _NOTHING,
        payload: str | None = None,
        reply_within: timedelta = REPLY_WITHIN,
    ) -> CommandRecord:
        """Have it done. Raises NotTaken."""
        asked = Asked(
            cluster_id=self.cluster.id,
            kind=kind,
            target=target,
            arguments=arguments,
            payload=payload,
            actor=asker.actor(self.request),
            origin=asker.origin(self.request),
            reason=self.reason,
        )
        return await self.control.ask(asked, reply_within=reply_within)

    def answer(self, record: CommandRecord, done: Callable[[Mapping[str, Any]], Response[bytes]]) -> Response[bytes]:
        """The answer made of the reply, where there is one; otherwise what is known."""
        reply = record.reply or {}
        if record.status == outbox.DONE:
            return done(reply)
        if record.ended_at is None:
            return self._accepted(record)
        return _not_done(record, str(reply.get("cause")), str(reply.get("error", "")))

    def _accepted(self, record: CommandRecord) -> Response[bytes]:
        root = self.request.url.path.partition("/api/")[0]
        address = f"{root}/api/v1/clusters/{self.cluster.slug}/commands/{record.id}"
        task = record.target.get("task")
        known = task if isinstance(task, str) and "name" in record.target else msgspec.UNSET
        document = Accepted("no reply yet: the command's address tells its end", address, known)
        return Response(
            msgspec.json.encode(document), status_code=202, media_type=answers.JSON, headers={"Location": address}
        )


async def provide(
    request: AnyRequest,
    reads: NamedDependency[Reads],
    control: NamedDependency[Control],
    cluster: FromQuery[str | None] = None,
    reason: FromQuery[str | None] = None,
) -> Asking:
    """Read the form and find the cluster. Raises NotTaken where no collector has ever been, UnknownCluster."""
    form = await _form(request)
    try:
        found = await reads.cluster(arguments.text(form.get("cluster", cluster)))
    except NoCluster:
        raise NotTaken(NOBODY) from None
    why = arguments.text(form.get("reason", reason)) or ""
    if len(why) > asker.MAX_REASON:
        raise ClientException(f"reason: must be at most {asker.MAX_REASON} characters")
    return Asking(request, found, form, why, reads, control)


async def _form(request: AnyRequest) -> Mapping[str, str]:
    if not request.headers.get("content-type", "").startswith(_FORMS):
        return {}
    form = await request.form()
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


def name(value: str, what: str) -> str:
    """A name in an address that is not looked up before it goes into the log."""
    return _bounded(value, what, MAX_NAME)


def task_id(value: str) -> str:
    """A task's id. Any text is one in Celery."""
    return _bounded(value, "task id", MAX_TASK_ID)


def _bounded(value: str, what: str, most: int) -> str:
    if not value or len(value) > most or "\0" in value:
        raise ClientException(f"{what}: must be 1 to {most} characters without NUL")
    return value


def done(message: str) -> Response[bytes]:
    """As Flower says that something was done."""
    return Response(msgspec.json.encode(Message(message)), status_code=200, media_type=answers.JSON)


def refused(status: int, message: str) -> Response[bytes]:
    """As Flower says that something was not."""
    return Response(message.encode(errors="replace"), status_code=status, media_type="text/plain", encoding="UTF-8")


def _not_done(record: CommandRecord, cause: str, error: str) -> Response[bytes]:
    match cause:
        case "no_backend":
            return Response(b"", status_code=503, media_type="text/plain")  # as Flower, without a word
        case "unavailable":
            return refused(503, UNAVAILABLE)
        case "refused":
            return refused(400, f"Invalid option: {error}")
        case "late" | "untaken" | "unreadable":
            return refused(503, error)
        case _:
            return refused(500, f"this failed: command {record.id} says why")
