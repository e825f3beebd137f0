"""Tasks that are sent by name, waited for, looked up and aborted: `POST /api/task/…`, `GET /api/task/result/…`."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import ClientException
from litestar.params import FromQuery

from flower_api.control import REPLY_WITHIN, TAKEN_WITHIN
from flower_api.flower2 import answers, arguments, asking, task_options
from flower_api.flower2.asking import AnyRequest, Asking, Message
from flower_api.flower2.tasks import trailing
from flower_store import outbox
from flower_store.reads import routes
from flower_store.records import CommandRecord

_DATE = "%Y-%m-%d %H:%M:%S.%f"
"""Flower's form of times in options."""

MAX_DEPTH = 64
"""Levels of lists and objects in a body; the collector's log shows no more."""


class Sent(msgspec.Struct, frozen=True, omit_defaults=True):
    """A task that was sent; its state where the collector has a result backend, its result where it was waited for."""

    task_id: str = msgspec.field(name="task-id")
    state: str | msgspec.UnsetType = msgspec.UNSET
    result: Any = msgspec.UNSET
    traceback: str | msgspec.UnsetType | None = msgspec.UNSET


_POST: Mapping[str, Any] = {"status_code": 200, "responses": asking.answered(Sent, "the task was sent")}


@dataclass(frozen=True, slots=True)
class _Body:
    """What Flower takes as JSON: everything but `args` and `kwargs` is an option."""

    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any]

    def payload(self) -> str:
        """For the collector alone."""
        return json.dumps({"args": self.args, "kwargs": self.kwargs, "options": self.options})


@post("/task/apply/{name:path}", summary="Send a task and wait for its end", **_POST)
async def apply(request: AnyRequest, ask: NamedDependency[Asking]) -> Response[bytes]:
    """Waits for `timeout` seconds of the body, or until the task has ended, for ten minutes at most."""
    name = asking.name(trailing(request, "/task/apply/"), "task name")
    body = await _body(request)
    await ask.task(name)
    timeout = _timeout(body.options.pop("timeout", None))
    _check_times(body.options)
    given = {} if timeout is None else {"timeout": timeout}
    return await _send(ask, outbox.APPLY, name, body, given, reply_within=_patience(timeout))


@post("/task/async-apply/{name:path}", summary="Send a task that is known", **_POST)
async def async_apply(request: AnyRequest, ask: NamedDependency[Asking]) -> Response[bytes]:
    """Times in options are Flower's: `%Y-%m-%d %H:%M:%S.%f`, in the application's time zone."""
    name = asking.name(trailing(request, "/task/async-apply/"), "task name")
    body = await _body(request)
    await ask.task(name)
    _check_times(body.options)
    return await _send(ask, outbox.APPLY_ASYNC, name, body, {})


@post("/task/send-task/{name:path}", summary="Send a task of any name", **_POST)
async def send_task(request: AnyRequest, ask: NamedDependency[Asking]) -> Response[bytes]:
    """Options go to Celery as they are."""
    name = asking.name(trailing(request, "/task/send-task/"), "task name")
    return await _send(ask, outbox.SEND, name, await _body(request), {})


@post(
    "/task/abort/{task_id:path}",
    summary="Abort a task that looks for it",
    status_code=200,
    responses=asking.answered(Message, "it was marked"),
)
async def abort(request: AnyRequest, ask: NamedDependency[Asking]) -> Response[bytes]:
    """Marks it in the result backend, where an AbortableTask looks; nothing is known of whether it does."""
    task = asking.task_id(trailing(request, "/task/abort/"))
    record = await ask.ask(outbox.ABORT, target={"task": task})
    return ask.answer(record, lambda _: asking.done(f"Aborted '{task}'"))


@get(
    "/task/result/{task_id:path}",
    summary="A task's state and result",
    responses=asking.answered(Sent, "what the result backend knows"),
)
async def result(
    request: AnyRequest,
    ask: NamedDependency[Asking],
    timeout: FromQuery[str | None] = None,  # noqa: ASYNC109 - Flower's word
) -> Response[bytes]:
    """Waits for the task's end for `timeout` seconds, ten minutes at most. A task that is not known is PENDING."""
    task = asking.task_id(trailing(request, "/task/result/"))
    seconds = arguments.number(ask.given("timeout", timeout))
    given = {} if seconds is None else {"timeout": seconds}
    within = _patience(seconds) if seconds else REPLY_WITHIN
    record = await ask.ask(outbox.LOOKUP, target={"task": task}, arguments=given, reply_within=within)
    return ask.answer(record, lambda _: answers.json(request, _answer(record, task)))


HANDLERS = (apply, async_apply, send_task, abort)


async def _send(
    ask: Asking,
    kind: str,
    name: str,
    body: _Body,
    given: Mapping[str, object],
    *,
    reply_within: timedelta = REPLY_WITHIN,
) -> Response[bytes]:
    chosen = body.options.pop("task_id", None)
    if chosen is not None and not isinstance(chosen, str):
        raise ClientException("task_id: must be a text")
    # Made here, so that whoever gets no answer can still find out what became of it.
    task = str(uuid.uuid4()) if chosen is None else asking.task_id(chosen)
    task_options.check(body.options, sent_as_given=kind == outbox.SEND)
    if all(body.options.get(one) is None for one in ("queue", "exchange", "routing_key")):
        given = {**given, **await _usual_way(ask, name)}
    record = await ask.ask(
        kind,
        target={"name": name, "task": task},
        arguments=given,
        payload=body.payload(),
        reply_within=reply_within,
    )
    return ask.answer(record, lambda _: Response(_answer(record, task), status_code=200, media_type=answers.JSON))


async def _usual_way(ask: Asking, name: str) -> Mapping[str, object]:
    """How such tasks went last, for a collector whose application does not say how they go."""
    async with ask.reads.connect() as connection:
        route = await routes.last(connection, ask.cluster.id, name)
    return {} if route is None else {"route": asdict(route)}


def _answer(record: CommandRecord, task: str) -> bytes:
    """The collector's own, which is Flower's; it may be gone when nobody asked for it for long."""
    return (record.answer or json.dumps({"task-id": task})).encode()


async def _body(request: AnyRequest) -> _Body:
    """The body, with Flower's refusals; one that is nested too deeply is none."""
    raw = await request.body()
    try:
        options = json.loads(raw.decode()) if raw else {}
    except RecursionError:
        raise ClientException("invalid options: nested too deeply") from None
    except ValueError as error:
        raise ClientException(str(error)) from None
    if not isinstance(options, dict):
        raise ClientException("invalid options")
    args, kwargs = options.pop("args", []), options.pop("kwargs", {})
    if not isinstance(args, list):
        raise ClientException("args must be an array")
    if not isinstance(kwargs, dict):
        raise ClientException("kwargs must be an object")
    if _depth([args, kwargs, options]) > MAX_DEPTH:
        raise ClientException(f"invalid options: nested more than {MAX_DEPTH} levels deep")
    return _Body(args, kwargs, options)


def _depth(value: object) -> int:
    """How many levels of lists and objects; without recursion, for what a stranger has nested."""
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


def _check_times(options: Mapping[str, Any]) -> None:
    try:
        if "eta" in options:
            datetime.strptime(options["eta"], _DATE)  # noqa: DTZ007 - in the application's time zone, as Flower took it
        if "countdown" in options:
            float(options["countdown"])
        if "expires" in options:
            _check_expires(options["expires"])
    except (ValueError, TypeError):
        raise ClientException("Invalid option") from None


def _check_expires(value: Any) -> None:  # noqa: ANN401 - a JSON value
    try:
        float(value)
    except ValueError:
        datetime.strptime(value, _DATE)  # noqa: DTZ007 - in the application's time zone, as Flower took it


def _timeout(value: object) -> float | None:
    try:
        found = None if value is None else arguments.number(str(value))
    except ClientException:
        raise ClientException("Invalid timeout") from None
    return found


def _patience(timeout: float | None) -> timedelta:
    """Longer than the collector waits: it ends the wait, and says the state."""
    longest = outbox.LONGEST_WAIT if timeout is None else timedelta(seconds=max(0.0, timeout))
    return min(longest, outbox.LONGEST_WAIT) + TAKEN_WITHIN
