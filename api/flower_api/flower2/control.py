"""`POST /api/worker/…` and the control of tasks: `revoke`, `timeout`, `rate-limit`."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.exceptions import ClientException
from litestar.params import FromQuery

from flower_api import signal_names, time_limits
from flower_api.flower2 import arguments, asking
from flower_api.flower2.asking import AnyRequest, Asking, Message
from flower_api.flower2.tasks import trailing

Argument = FromQuery[str | None]
_POST: Mapping[str, Any] = {"status_code": 200, "responses": asking.answered(Message, "it was done")}


@post("/worker/shutdown/{name:path}", summary="Shut a worker down", **_POST)
async def shutdown(request: AnyRequest, ask: NamedDependency[Asking]) -> Response[bytes]:
    """Tell it to finish its tasks and end; no reply is waited for."""
    worker = trailing(request, "/worker/shutdown/")
    await ask.worker(worker)
    record = await ask.ask("shutdown", target={"worker": worker})
    return ask.answer(record, lambda _: asking.done("Shutting down!"))


@post("/worker/pool/restart/{name:path}", summary="Restart a worker's pool", **_POST)
async def restart(request: AnyRequest, ask: NamedDependency[Asking]) -> Response[bytes]:
    """Needs worker_pool_restarts."""
    worker = trailing(request, "/worker/pool/restart/")
    await ask.worker(worker)
    record = await ask.ask("pool_restart", target={"worker": worker})
    done, failed = f"Restarting '{worker}' worker's pool", f"Failed to restart the '{worker}' pool: "
    return ask.answer(record, lambda reply: _told(reply, worker, done=done, failed=failed))


@post("/worker/pool/grow/{name:path}", summary="Add processes to a worker's pool", **_POST)
async def grow(request: AnyRequest, ask: NamedDependency[Asking], n: Argument = None) -> Response[bytes]:
    """One, or `n`."""
    return await _resize(ask, trailing(request, "/worker/pool/grow/"), n, verb="grow", doing="Growing")


@post("/worker/pool/shrink/{name:path}", summary="Take processes from a worker's pool", **_POST)
async def shrink(request: AnyRequest, ask: NamedDependency[Asking], n: Argument = None) -> Response[bytes]:
    """One, or `n`."""
    return await _resize(ask, trailing(request, "/worker/pool/shrink/"), n, verb="shrink", doing="Shrinking")


@post("/worker/pool/autoscale/{name:path}", summary="Set the bounds of a worker's pool", **_POST)
async def autoscale(
    request: AnyRequest,
    ask: NamedDependency[Asking],
    min: Argument = None,  # noqa: A002 - Flower's word
    max: Argument = None,  # noqa: A002 - Flower's word
) -> Response[bytes]:
    """Needs a worker that was started with `--autoscale`."""
    worker = trailing(request, "/worker/pool/autoscale/")
    await ask.worker(worker)
    least, most = arguments.small(ask.required("min", min)), arguments.small(ask.required("max", max))
    record = await ask.ask("autoscale", target={"worker": worker}, arguments={"min": least, "max": most})
    done = f"Autoscaling '{worker}' worker (min={least}, max={most})"
    failed = f"Failed to autoscale '{worker}' worker: "
    return ask.answer(record, lambda reply: _told(reply, worker, done=done, failed=failed))


@post("/worker/queue/add-consumer/{name:path}", summary="Let a worker take from a queue", **_POST)
async def add_consumer(request: AnyRequest, ask: NamedDependency[Asking], queue: Argument = None) -> Response[bytes]:
    """The queue is made where it is not there."""
    worker = trailing(request, "/worker/queue/add-consumer/")
    failed = f"Failed to add '{{queue}}' consumer to '{worker}' worker: "
    return await _consume(ask, worker, queue, kind="add_consumer", failed=failed)


@post("/worker/queue/cancel-consumer/{name:path}", summary="Let a worker no longer take from a queue", **_POST)
async def cancel_consumer(request: AnyRequest, ask: NamedDependency[Asking], queue: Argument = None) -> Response[bytes]:
    """Until the worker is started again."""
    worker = trailing(request, "/worker/queue/cancel-consumer/")
    failed = f"Failed to cancel '{{queue}}' consumer from '{worker}' worker: "
    return await _consume(ask, worker, queue, kind="cancel_consumer", failed=failed)


@post("/task/revoke/{task_id:path}", summary="Revoke a task", **_POST)
async def revoke(
    request: AnyRequest, ask: NamedDependency[Asking], terminate: Argument = None, signal: Argument = None
) -> Response[bytes]:
    """All workers are told; with `terminate` the process that runs it gets the signal."""
    task = asking.task_id(trailing(request, "/task/revoke/"))
    ends = arguments.flag(ask.given("terminate", terminate))
    given = {"terminate": ends, "signal": _signal(ask.given("signal", signal), ends=ends)}
    record = await ask.ask("revoke", target={"task": task}, arguments=given)
    return ask.answer(record, lambda _: asking.done(f"Revoked '{task}'"))


@post("/task/timeout/{name:path}", summary="Set a task's time limits at a worker", **_POST)
async def timeout(
    request: AnyRequest,
    ask: NamedDependency[Asking],
    workername: Argument = None,
    soft: Argument = None,
    hard: Argument = None,
) -> Response[bytes]:
    """Seconds; the one that is not given is cleared, and 0 clears."""
    task = trailing(request, "/task/timeout/")
    worker = ask.required("workername", workername)
    limits = {name: arguments.number(ask.given(name, value)) for name, value in (("hard", hard), ("soft", soft))}
    if limits == {"hard": None, "soft": None}:
        raise ClientException("Missing argument soft or hard")
    if not time_limits.in_order(limits["soft"], limits["hard"]):
        raise ClientException(f"soft: {time_limits.NOT_IN_ORDER}")
    return await _limit(ask, task, worker, "time_limit", limits, failed="Failed to set timeouts: ")


@post("/task/rate-limit/{name:path}", summary="Set a task's rate limit at a worker", **_POST)
async def rate_limit(
    request: AnyRequest, ask: NamedDependency[Asking], workername: Argument = None, ratelimit: Argument = None
) -> Response[bytes]:
    """Such as `200` (a second), `10/m`, or `0` for none."""
    task = trailing(request, "/task/rate-limit/")
    worker = ask.required("workername", workername)
    given = {"rate_limit": ask.required("ratelimit", ratelimit)}
    return await _limit(ask, task, worker, "rate_limit", given, failed="Failed to set rate limit: ")


HANDLERS = (
    shutdown, restart, grow, shrink, autoscale, add_consumer, cancel_consumer, revoke, timeout, rate_limit,
)  # fmt: skip


async def _resize(ask: Asking, worker: str, n: str | None, *, verb: str, doing: str) -> Response[bytes]:
    await ask.worker(worker)
    number = int(arguments.small(ask.given("n", n), 1) or 0)
    if number < 1:
        raise ClientException("n: must be at least 1")
    record = await ask.ask(f"pool_{verb}", target={"worker": worker}, arguments={"n": number})
    done, failed = f"{doing} '{worker}' worker's pool by {number}", f"Failed to {verb} '{worker}' worker's pool: "
    return ask.answer(record, lambda reply: _told(reply, worker, done=done, failed=failed))


async def _consume(ask: Asking, worker: str, queue: str | None, *, kind: str, failed: str) -> Response[bytes]:
    await ask.worker(worker)
    name = asking.name(ask.required("queue", queue), "queue")
    record = await ask.ask(kind, target={"worker": worker}, arguments={"queue": name})
    return ask.answer(record, lambda reply: _told(reply, worker, failed=failed.replace("{queue}", name)))


async def _limit(
    ask: Asking, task: str, worker: str, kind: str, limits: Mapping[str, object], *, failed: str
) -> Response[bytes]:
    await ask.task(task)
    await ask.worker(worker)
    record = await ask.ask(kind, target={"worker": worker, "name": task}, arguments=limits)
    return ask.answer(record, lambda reply: _told(reply, worker, failed=failed, quote="'"))


def _told(
    reply: Mapping[str, Any], worker: str, *, failed: str, done: str | None = None, quote: str = ""
) -> Response[bytes]:
    """What the worker replied; without `done` its own words are the message."""
    own = reply.get("workers", {}).get(worker)
    if isinstance(own, dict) and "ok" in own:
        return asking.done(str(own["ok"]) if done is None else done)
    reason = own.get("error", "Unknown reason") if isinstance(own, dict) else "Unknown reason"
    return asking.refused(403, f"{failed}{quote}{reason}{quote}")


def _signal(given: str | None, *, ends: bool) -> str:
    """A signal's name; it matters only where something is ended."""
    name = arguments.text(given) or "SIGTERM"
    if ends and name.upper() not in signal_names.KNOWN:
        raise ClientException(f"Invalid signal '{name}'")
    return name.upper() if ends else name
