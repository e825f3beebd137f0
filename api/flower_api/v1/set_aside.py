"""`/api/v1/clusters/…/set-aside`: messages that could not be taken as they were."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from flower_api.reads import Reads
from flower_api.v1 import parameters
from flower_store.reads import gaps
from flower_store.reasons import Reason
from flower_store.records import SetAsideRecord

MOST = 100
"""A body has up to 64 KiB: so many are 6 MB, and a third more in base64."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message. What was kept of its body is in `body` where it is UTF-8, otherwise in `body_base64`."""

    id: int
    received_at: datetime
    reason: str
    detail: str
    routing_key: str
    content_type: str
    body: str | None
    body_base64: str | None


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """Messages, the newest first, and how many are kept of each reason.

    `next` is to be given as `before` for the page behind; null on the last one.
    """

    counts: Mapping[str, int]
    messages: list[Message]
    next: int | None


@get(
    "/set-aside",
    responses=parameters.answered(SetAside, "messages that are kept"),
    summary="Input that could not be taken",
    tags=["completeness"],
)
async def list_set_aside(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    *,
    reason: Annotated[str | None, QueryParameter(name="reason", description="comma: or; a reason of `counts`")] = None,
    before: Annotated[int | None, QueryParameter(name="before", ge=1, le=2**62)] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=MOST)] = 20,
) -> SetAside:
    """The newest, of all reasons or of some; a bounded number is kept."""
    cluster = await reads.cluster(slug)
    async with reads.connect() as connection:
        counts = await gaps.set_aside_counts(connection, cluster.id)
        # Another build's collector may know further reasons.
        wanted = parameters.choices("reason", reason, [*Reason, *(one for one in counts if one not in set(Reason))])
        found = await gaps.set_aside(connection, cluster.id, reasons=wanted, before=before, limit=limit + 1)
    shown = found[:limit]
    return SetAside(
        counts=counts, messages=[_message(one) for one in shown], next=shown[-1].id if len(found) > limit else None
    )


def _message(record: SetAsideRecord) -> Message:
    text = _text(record.body)
    return Message(
        id=record.id,
        received_at=record.received_at,
        reason=record.reason,
        detail=record.detail,
        routing_key=record.routing_key,
        content_type=record.content_type,
        body=text,
        body_base64=base64.b64encode(record.body).decode() if text is None else None,
    )


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
