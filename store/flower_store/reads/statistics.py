"""What names and workers did in an interval: counts from the rollups, run times and waits from the histograms."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy import BigInteger, ColumnElement, Subquery, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import histograms
from flower_store.reads import buckets
from flower_store.records import Activity, Distribution, Point

By = Literal["name", "worker"]
_Key = tuple[Any, ...]


async def activity(
    connection: AsyncConnection,
    cluster_id: int,
    since: datetime,
    until: datetime,
    *,
    by: By,
    ids: Collection[int] | None = None,
) -> dict[int, Activity]:
    """What each name or worker did; those that did nothing are absent."""
    only: Mapping[str, Any] = {"by": [by], f"{by}_ids": ids}
    counts = await _counts(connection, buckets.rows("rollup", cluster_id, since, until, **only), [f"{by}_id"])
    source = buckets.rows("histogram", cluster_id, since, until, **only)
    run, wait = await _distributions(connection, source, [f"{by}_id"])
    return {
        key[0]: Activity(counts[key], run.get(key, NOTHING), wait.get(key, NOTHING))
        for key in counts.keys() | run.keys() | wait.keys()
    }


async def runtimes(
    connection: AsyncConnection, cluster_id: int, since: datetime, until: datetime
) -> Mapping[int, Distribution]:
    """Run times by name, of whole hours."""
    begin, end = buckets.floor(since, buckets.HOUR), buckets.floor(until, buckets.HOUR) + buckets.HOUR
    source = buckets.rows("histogram", cluster_id, begin, end, by=["name"])
    run, _ = await _distributions(connection, source, ["name_id"])
    return {key[0]: found for key, found in run.items()}


async def series(
    connection: AsyncConnection,
    cluster_id: int,
    since: datetime,
    until: datetime,
    *,
    step: timedelta,
    by: By | None = None,
    name_ids: Collection[int] | None = None,
    worker_ids: Collection[int] | None = None,
    most: int = 20,
) -> dict[int | None, list[Point]]:
    """Activity over time, in steps from `since` to `until`, steps without any included; by id where `by` says so.

    Of those at most `most`, the ones of the most events, which come first.
    """
    only: dict[str, Any] = {"name_ids": name_ids, "worker_ids": worker_ids}
    read = partial(buckets.rows, cluster_id=cluster_id, since=since, until=until, by=[by] if by else [], step=step)
    columns = [f"{by}_id"] if by else []
    rollup = read("rollup", **only)
    counts = await _counts(connection, rollup, columns, at=func.date_bin(step, rollup.c.bucket, since))
    groups = _busiest(counts)[:most] or [()]
    if by:
        only[f"{by}_ids"] = [group[0] for group in groups if group]
    histogram = read("histogram", **only)
    at = func.date_bin(step, histogram.c.bucket, since)
    run, wait = await _distributions(connection, histogram, columns, at=at)
    times = [since + step * number for number in range((until - since) // step)]
    return {
        group[0] if group else None: [
            Point(one, Activity(counts.get(key, {}), run.get(key, NOTHING), wait.get(key, NOTHING)))
            for one in times
            for key in [(one, *group)]
        ]
        for group in groups
    }


def _busiest(counts: Mapping[_Key, Mapping[str, int]]) -> list[_Key]:
    """The groups of steps, the one of the most events first."""
    found: Counter[_Key] = Counter()
    for key, by_type in counts.items():
        found[key[1:]] += sum(by_type.values())
    return [group for group, _ in found.most_common()]


NOTHING = Distribution(None, None, None, 0, 0.0)
IDLE = Activity({}, NOTHING, NOTHING)


async def _counts(
    connection: AsyncConnection, source: Subquery, columns: list[str], *, at: ColumnElement[Any] | None = None
) -> dict[_Key, dict[str, int]]:
    key = [*([] if at is None else [at]), *(source.c[name] for name in columns)]
    rows = await connection.execute(select(*key, source.c.type, func.sum(source.c.count)).group_by(*key, source.c.type))
    found: defaultdict[_Key, dict[str, int]] = defaultdict(dict)
    for *group, kind, count in map(tuple, rows):
        found[tuple(group)][kind] = int(count)
    return found


async def _distributions(
    connection: AsyncConnection, source: Subquery, columns: list[str], *, at: ColumnElement[Any] | None = None
) -> tuple[dict[_Key, Distribution], dict[_Key, Distribution]]:
    """Run times and waits."""
    key = [*([] if at is None else [at]), *(source.c[name] for name in columns)]
    group = [*(one.label(f"key_{number}") for number, one in enumerate(key)), source.c.measure]
    counted = (
        select(*group, source.c.slot, func.sum(source.c.count).label("count"), func.sum(source.c.sum).label("sum"))
        .group_by(*key, source.c.measure, source.c.slot)
        .subquery()
    )
    # A histogram a row: as many rows as it has slots took the most time of all.
    of = [counted.c[one.name] for one in group]
    slots, counts = (func.array_agg(cast(one, BigInteger)) for one in (counted.c.slot, counted.c.count))
    rows = await connection.execute(select(*of, slots, counts, func.sum(counted.c.sum)).group_by(*of))
    found: dict[int, dict[_Key, Distribution]] = {histograms.RUNTIME: {}, histograms.WAIT: {}}
    for *where, measure, numbers, values, seconds in map(tuple, rows):
        found[measure][tuple(where)] = _distribution(dict(zip(numbers, values, strict=True)), float(seconds))
    return found[histograms.RUNTIME], found[histograms.WAIT]


def _distribution(slots: Mapping[int, int], seconds: float) -> Distribution:
    p50, p95, p99 = (histograms.percentile(slots, share) for share in (0.5, 0.95, 0.99))
    return Distribution(p50, p95, p99, sum(slots.values()), seconds)
