"""`GET /events/stream`: a page's one event stream. Messages carry no truth: "changed, version V"; the page asks again.

The form is that of the WHATWG HTML standard, "Server-sent events".
"""

from collections.abc import AsyncGenerator
from datetime import timedelta

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.exceptions import ServiceUnavailableException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery
from litestar.response import Stream

from flower_api import arguments, live
from flower_api.live import Live, Subscription
from flower_api.reads import Reads
from flower_api.settings import ApiSettings
from flower_api.v1 import parameters

HEARTBEAT = timedelta(seconds=15)
"""Proxies commonly cut a silent connection after 30 or 60 seconds."""

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would gather the messages


class Event(msgspec.Struct, frozen=True):
    """One event of the stream; `data` is JSON, with the `version` of what changed."""

    event: str
    data: str


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
    reads: NamedDependency[Reads],
    hub: NamedDependency[Live],
    api_settings: NamedDependency[ApiSettings],
    c: FromQuery[str | None] = None,
) -> Stream:
    """Say `changed` at once and then after each change, at most twice a second, and `resync` after an outage."""
    cluster = await reads.cluster(c)
    try:
        subscription = hub.subscribe(cluster.id)
    except live.Away as error:
        raise ServiceUnavailableException(detail="changes cannot be heard now: ask again") from error
    except live.Full as error:
        raise ServiceUnavailableException(detail="too many event streams are open: ask again") from error
    return Stream(
        messages(hub, subscription, quiet=api_settings.live_interval),
        media_type="text/event-stream",
        headers=_HEADERS,
    )


async def messages(hub: Live, subscription: Subscription, *, quiet: timedelta) -> AsyncGenerator[bytes]:
    """The stream's bytes, until it is to end. What happens in the quiet time is told at its end, never lost."""
    try:
        yield _event("changed", subscription.version)
        while not subscription.ended.is_set():
            await subscription.rest(quiet)
            heard = await subscription.news(HEARTBEAT)
            if subscription.ended.is_set():
                return
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
