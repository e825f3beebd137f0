"""Whether this process lives, and whether it can do its work.

A collector that is silent, or without its broker, is told and does not count as unready: taking every replica out of
service because another program stopped would hide the history just when somebody looks for it.
"""

from typing import Literal

import msgspec
from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from flower_api.live import Live
from flower_api.reads import Reads
from flower_store import errors, schema
from flower_store.reads import clusters
from flower_store.records import CollectorRecord

GOOD = "ok"
_NEVER = "no collector has ever written"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Each part is `ok` or a sentence that says what is wrong with it. `collectors` is told, not counted."""

    status: Literal["ready", "not ready"]
    database: str
    schema: str
    live: str
    collectors: dict[str, str]


@get("/healthcheck", media_type=MediaType.HTML, summary="Flower's own sign of life", tags=["health"])
async def healthcheck() -> str:
    """Say OK while the process lives; nothing else is asked."""
    return "OK"


@get("/healthz", media_type=MediaType.TEXT, summary="Whether the process lives", tags=["health"])
async def healthz() -> str:
    """Say ok while the process lives; the database is not asked."""
    return GOOD


@get(
    "/readyz",
    responses={
        200: ResponseSpec(Readiness, description="requests can be answered", generate_examples=False),
        503: ResponseSpec(Readiness, description="a part is not ready; it says which", generate_examples=False),
    },
    summary="Whether requests can be answered",
    tags=["health"],
)
async def readyz(reads: NamedDependency[Reads], hub: NamedDependency[Live]) -> Response[Readiness]:
    """Ask the database, its schema, and how each cluster's collectors are."""
    live = GOOD if hub.listening else "changes cannot be heard, pages poll"
    found = await _readiness(reads, live=live)
    return Response(found, status_code=200 if found.status == "ready" else 503, headers={"Cache-Control": "no-store"})


async def _readiness(reads: Reads, *, live: str) -> Readiness:
    try:
        async with reads.connect() as connection:
            await schema.check_async(connection)
        collectors = await _collectors(reads)
    except errors.WrongSchema as error:
        return Readiness(status="not ready", database=GOOD, schema=str(error), live=live, collectors={})
    except errors.StoreError:
        away = "cannot be reached"
        return Readiness(status="not ready", database=away, schema="not known", live=live, collectors={})
    return Readiness(status="ready", database=GOOD, schema=GOOD, live=live, collectors=collectors)


async def _collectors(reads: Reads) -> dict[str, str]:
    known = await reads.clusters()
    async with reads.connect() as connection:
        return {one.slug: _beat(await clusters.collectors(connection, one.id, limit=20)) for one in known}


def _beat(collectors: list[CollectorRecord]) -> str:
    living = [one.broker_away_at for one in collectors if one.alive]
    away = [at for at in living if at is not None]
    if len(away) < len(living):  # one that has its broker is enough
        return GOOD
    if away:
        return f"broker away since {max(away).isoformat(timespec='seconds')}"
    return f"silent since {collectors[0].beat_at.isoformat(timespec='seconds')}" if collectors else _NEVER


HANDLERS = (healthcheck, healthz, readyz)
