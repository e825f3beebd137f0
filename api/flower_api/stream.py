"""`GET /events/stream`: a page's one event stream. Messages carry no truth: "changed, version V"; the page asks again.

The form is that of the WHATWG HTML standard, "Server-sent events".
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.exceptions import ServiceUnavailableException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery
from litestar.response import Stream

from flower_api import arguments, live
from flower_api.access.guard import Guard
from flower_api.live import Live, Subscription
from flower_api.reads import Reads
from flower_api.settings import ApiSettings
from flower_api.v1 import parameters

HEARTBEAT = timedelta(seconds=15)
"""Proxies commonly cut a silent connection after 30 or 60 seconds."""

BEGINNING = timedelta(seconds=2)
"""For which a stream waits for a process that has just started, or has lost its connection, to hear changes."""

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would gather the messages


class Event(msgspec.Struct, frozen=True):
    """One event of the stream; `data` is JSON, with the `version` of what changed."""

    event: str
    data: str


async def _always() -> bool:
    return True


@get(
    "/events/stream",
    guards=[arguments.only("c")],
    opt={"uncompressed": True},
    media_type="text/event-stream",
    responses={
        200: ResponseSpec(Event, description="`changed` and `resync`", media_type="text/event-stream"),
        **parameters.REFUSALS,
        503: parameters.problem("changes cannot be heard now, or too many listen"),
    },
    summary="Hear that a cluster's rows changed",
    tags=["live"],
)
async def stream(
    request: Request[Any, Any, Any],
    reads: NamedDependency[Reads],
    hub: NamedDependency[Live],
    api_settings: NamedDependency[ApiSettings],
    c: FromQuery[str | None] = None,
) -> Stream:
    """Say `changed` at once and then after each change, at most twice a second, and `resync` after an outage."""
    cluster = await reads.cluster(c)
    await hub.begun(BEGINNING)
    try:
        subscription = hub.subscribe(cluster.id)
    except live.Away as error:
        raise ServiceUnavailableException(detail="changes cannot be heard now: ask again") from error
    except live.Full as error:
        raise ServiceUnavailableException(detail="too many event streams are open: ask again") from error
    guard: Guard = request.app.state.guard
    allowed = partial(guard.still, request)
    return Stream(
        messages(hub, subscription, quiet=api_settings.live_interval, allowed=allowed),
        media_type="text/event-stream",
        headers=_HEADERS,
    )


async def messages(
    hub: Live, subscription: Subscription, *, quiet: timedelta, allowed: Callable[[], Awaitable[bool]] = _always
) -> AsyncGenerator[bytes]:
    """The stream's bytes, until it is to end. What happens in the quiet time is told at its end, never lost.

    Whoever listens is asked for again in the rhythm of the heartbeat: no stream outlives its token or session for long.
    """
    asked = time.monotonic()
    try:
        yield _event("changed", subscription.version)
        while not subscription.ended.is_set():
            await subscription.rest(quiet)
            heard = await subscription.news(HEARTBEAT)
            if subscription.ended.is_set():
                return
            if time.monotonic() - asked >= HEARTBEAT.total_seconds():
                if not await allowed():
                    return
                asked = time.monotonic()
            yield _told(subscription) if heard else b":\n\n"
    finally:
        hub.leave(subscription)


def _told(subscription: Subscription) -> bytes:
    changed = _event("changed", subscription.version)
    if subscription.take_resync():
        return _event("resync", subscription.version) + changed
    return changed


def _event(name: str, version: int) -> bytes:
    return f'event: {name}\ndata: {{"version": {version}}}\n\n'.encode()
