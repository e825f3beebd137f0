"""The overview: is anything wrong, in ten seconds?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from litestar import get
from litestar.response import Template

from flower_api.reads import Reads
from flower_store.reads import gaps as stored_gaps
from flower_store.reads import series, task_counts, tasks, workers
from flower_store.reads.task_query import TaskQuery as TaskSelection
from flower_store.records import AuditRecord, TaskSummary
from flower_web import chart as charts
from flower_web import doubts as doubtful
from flower_web import figures as six
from flower_web import task_row
from flower_web.chart import Chart
from flower_web.doubts import Doubts
from flower_web.figures import Figure, Measured
from flower_web.given import GivenReads
from flower_web.task_query import TaskQuery
from flower_web.task_row import TaskRow
from flower_web.visit import GivenVisit, Visit

_HOUR = timedelta(hours=1)
_FAILURES = 8
_GAPS = 50
_REFRESH = 2_000
"""Milliseconds between two refreshes: its numbers come from rollups by the minute."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the overview's template shows."""

    figures: Sequence[Figure]
    chart: Chart
    failures: Sequence[TaskRow]
    doubts: Doubts
    audit: AuditRecord
    """Of the last hour, as the chart."""
    workers_seen: bool
    tasks_seen: bool


@get("/c/{cluster:str}/", include_in_schema=False)
async def overview(reads: GivenReads, visit: GivenVisit) -> Template:
    """The cluster's first page."""
    measured = await _measured(reads, visit)
    cluster_id = visit.cluster.id
    since, until = charts.window(visit.now)
    async with reads.connect() as connection:
        buckets = await series.throughput(connection, cluster_id, since, until, step=charts.STEP)
        failures = await tasks.failures(connection, cluster_id, limit=_FAILURES)
        gaps = (await stored_gaps.gaps(connection, cluster_id, since=since, limit=_GAPS)).items
        missed = await stored_gaps.missed_by_cause(connection, cluster_id, since, until)
        audit = await stored_gaps.audit(connection, cluster_id, since, until)
    page = Overview(
        six.figures(measured, visit.addresses),
        charts.chart(buckets, since, until, gaps),
        failures=[_failure(each, visit) for each in failures],
        doubts=doubtful.doubts(gaps, missed),
        audit=audit,
        workers_seen=bool(measured.workers),
        tasks_seen=any(count.value for count in measured.counts.values()),
    )
    frame = visit.frame("Overview", here="overview", interval=_REFRESH)
    template = "overview.html" if page.tasks_seen else "waiting.html"
    return Template(template, context={"frame": frame, "page": page, "transport": visit.cluster.transport})


async def _measured(reads: Reads, visit: Visit) -> Measured:
    cluster_id = visit.cluster.id
    since, until = charts.window(visit.now)
    async with reads.connect() as connection:
        return Measured(
            now=await series.figures(connection, cluster_id, since, until),
            before=await series.figures(connection, cluster_id, since - _HOUR, since),
            run=await series.runtime(connection, cluster_id, since, until),
            run_before=await series.runtime(connection, cluster_id, since - _HOUR, since),
            wait=await series.wait(connection, cluster_id, since, until),
            wait_before=await series.wait(connection, cluster_id, since - _HOUR, since),
            counts=await task_counts.state_counts(connection, TaskSelection(cluster_id=cluster_id)),
            workers=await workers.workers(connection, cluster_id),
        )


def _failure(task: TaskSummary, visit: Visit) -> TaskRow:
    return task_row.row(task, TaskQuery(), visit.addresses, now=visit.now)
