"""`/api/v1/audit`: who did what, when, from where, why, and what became of it; for admins of every cluster."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter, SkipValidation
from litestar.response import Stream

from flower_api.operations import also
from flower_api.reads import Reads
from flower_api.v1 import files, parameters
from flower_api.v1.commands import Command
from flower_store import cursors
from flower_store.reads import audit_log
from flower_store.records import EntryRecord


class Entry(Command, frozen=True, kw_only=True):
    """A row of the log: a command, a login or logout, a token made or revoked, or a refusal.

    `cluster` is null where none is concerned. `origin` is the address and the way in: `basic`, a session or a token.
    """

    cluster: str | None


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, the newest first; `next` is the cursor of the page behind, null on the last one."""

    entries: list[Entry]
    next: str | None


async def _asked(
    reads: NamedDependency[Reads],
    *,
    kind: Annotated[
        str | None, QueryParameter(name="kind", description=f"comma: or; {', '.join(audit_log.KINDS)}")
    ] = None,
    actor: Annotated[str | None, QueryParameter(name="actor", description="who asked, by the whole name")] = None,
    cluster: Annotated[str | None, QueryParameter(name="cluster", description="what was asked of this one")] = None,
    since: parameters.Since = None,
    until: parameters.Until = None,
) -> audit_log.Asked:
    begin, end = parameters.times(since, until, datetime.now(UTC))
    kinds, name = parameters.choices("kind", kind, audit_log.KINDS), parameters.text("actor", actor)
    slug = parameters.text("cluster", cluster)
    return audit_log.Asked(
        kinds=kinds,
        actor=name,
        cluster_id=None if slug is None else (await reads.cluster(slug)).id,
        since=begin,
        until=end,
    )


@get(
    "/",
    responses=parameters.answered(Audit, "entries, the newest first"),
    summary="Who did what",
    tags=["audit"],
)
async def list_entries(
    reads: NamedDependency[Reads],
    asked: NamedDependency[SkipValidation[audit_log.Asked]],
    *,
    after: parameters.After = None,
    limit: parameters.Limit = 50,
) -> Audit:
    """All entries, or those of some kinds, of somebody, of a cluster, or of some time. It holds no secrets."""
    place = parameters.cursor(after)
    async with reads.connect() as connection:
        page = await audit_log.page(connection, asked, after=place, limit=limit)
    return Audit(entries=[_entry(one) for one in page.items], next=page.next)


@get(
    "/export",
    operation_class=also(200, files.CSV),
    responses=files.answered("a line an entry"),
    summary="The log as a file",
    tags=["audit"],
)
async def export(
    reads: NamedDependency[Reads],
    asked: NamedDependency[SkipValidation[audit_log.Asked]],
    *,
    format: files.Format = "ndjson",  # noqa: A002 - its name in the address
    limit: files.Limit = files.MOST,
) -> Stream:
    """The same entries, all of them."""
    return await files.stream(_rows(reads, asked, limit), format, Entry.__struct_fields__, name="audit")


async def _rows(reads: Reads, asked: audit_log.Asked, left: int) -> files.Rows:
    place: cursors.Cursor | None = None
    while left > 0:
        async with reads.connect() as connection:
            page = await audit_log.page(connection, asked, after=place, limit=min(files.CHUNK, left))
        yield [_entry(one) for one in page.items]
        if page.next is None:
            return
        left -= len(page.items)
        place = cursors.parse(page.next)


def _entry(record: EntryRecord) -> Entry:
    return Entry(**{name: getattr(record, name) for name in Entry.__struct_fields__})


DEPENDENCIES = {"asked": Provide(_asked)}
