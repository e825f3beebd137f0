"""What could not be seen: the audit of the last day, gaps, starts that nobody told of, messages that were set aside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from litestar import get
from litestar.response import Template

from flower_store.reads import gaps as stored
from flower_store.records import AuditRecord, GapRecord, MissedRecord
from flower_web import doubts
from flower_web.given import GivenReads
from flower_web.visit import GivenVisit

_DAY = timedelta(days=1)
_MOST = 50
_REFRESH = 2_000
"""Milliseconds between two refreshes; heartbeats, which the audit weighs, come every two seconds."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """What the page shows; `most` gaps and findings at most."""

    audit: AuditRecord
    gaps: Sequence[GapRecord]
    missed: Sequence[MissedRecord]
    set_aside: Mapping[str, int]
    most: int = _MOST


@get("/c/{cluster:str}/unseen", include_in_schema=False)
async def unseen(reads: GivenReads, visit: GivenVisit) -> Template:
    """The last day of one cluster."""
    cluster_id, since = visit.cluster.id, visit.now - _DAY
    async with reads.connect() as connection:
        audit = await stored.audit(connection, cluster_id, since, visit.now)
        gaps = await stored.gaps(connection, cluster_id, since=since, limit=_MOST)
        missed = await stored.missed_by_cause(connection, cluster_id, since, visit.now, limit=_MOST)
        counts = await stored.set_aside_counts(connection, cluster_id)
    found = doubts.doubts(gaps.items, missed)
    page = Unseen(audit, found.gaps, found.missed, counts)
    frame = visit.frame("What could not be seen", here="overview", interval=_REFRESH)
    return Template("unseen.html", context={"frame": frame, "page": page})
