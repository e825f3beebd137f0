"""Counts over time, from the rollups: never from the tasks themselves."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import tables, task_indexes
from flower_store.records import Bucket, Figures, Percentiles

SAMPLE = 5_000
"""Percentiles are of the newest so many tasks of an interval, so they cost the same at any rate."""

_R = tables.rollup_1m.c


async def throughput(
    connection: AsyncConnection, cluster_id: int, since: datetime, until: datetime, *, step: timedelta
) -> list[Bucket]:
    """Events by type in intervals of `step` (whole minutes), from `since` up to `until`. Empty ones are left out."""
    bucket = func.date_bin(step, _R.bucket, since).label("at")
    rows = await connection.execute(
        select(bucket, _R.type, func.sum(_R.count))
        .where(_R.cluster_id == cluster_id, _R.bucket >= since, _R.bucket < until)
        .group_by(bucket, _R.type)
        .order_by(bucket, _R.type)
    )
    return [Bucket(at, kind, int(count)) for at, kind, count in rows]


async def figures(connection: AsyncConnection, cluster_id: int, since: datetime, until: datetime) -> Figures:
    """Counts by type within the interval, whole minutes."""
    rows = (
        await connection.execute(
            select(_R.type, func.sum(_R.count), func.sum(_R.runtime_count), func.sum(_R.runtime_sum))
            .where(_R.cluster_id == cluster_id, _R.bucket >= since, _R.bucket < until)
            .group_by(_R.type)
        )
    ).all()
    return Figures(
        counts={row[0]: int(row[1]) for row in rows},
        runtime_count=sum(int(row[2]) for row in rows),
        runtime_sum=float(sum(row[3] for row in rows)),
    )


async def runtime(connection: AsyncConnection, cluster_id: int, since: datetime, until: datetime) -> Percentiles:
    """Run time of the newest tasks first seen in the interval that succeeded."""
    return await _percentiles(connection, cluster_id, since, until, "run")


async def wait(connection: AsyncConnection, cluster_id: int, since: datetime, until: datetime) -> Percentiles:
    """Time from sent (or else received) to started, of the newest tasks first seen in the interval.

    Tasks with an ETA or a countdown wait on purpose and are left out, and so are retried ones.
    """
    return await _percentiles(connection, cluster_id, since, until, "wait")


async def _percentiles(
    connection: AsyncConnection, cluster_id: int, since: datetime, until: datetime, kind: str
) -> Percentiles:
    t = tables.task.c
    waited = task_indexes.WAIT
    seconds = t.runtime if kind == "run" else func.greatest(waited, 0)
    conditions = [t.cluster_id == cluster_id, t.seen_at >= since, t.seen_at < until, seconds.is_not(None)]
    if kind == "wait":
        conditions += [t.started_at.is_not(None), t.due_at.is_(None), func.coalesce(t.received_retries, 0) == 0]
    sample = select(seconds.label("seconds")).where(*conditions).order_by(t.seen_at.desc()).limit(SAMPLE).subquery()
    shares = [
        func.percentile_cont(share).within_group(sample.c.seconds).label(name)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    ]
    rows = await connection.execute(select(*shares, func.count().label("measured")).select_from(sample))
    return Percentiles(**rows.mappings().one())
