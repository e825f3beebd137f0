"""Error groups: lists by keyset, one by its id, its failures over time; and what is said of one."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, case, func, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import ids, notices, outbox, tables
from flower_store.cursors import Cursor
from flower_store.reads import buckets, names, task_rows
from flower_store.records import Page

_G = tables.error_group.c
_T = tables.task.c

MOST_NAMES = 20
"""Names and workers that are told of a group: those with most failures."""

Sort = Literal["last", "first"]


@dataclass(frozen=True, slots=True)
class Affected:
    """Failures of a group within an interval, and whose they were: names and workers with most of them."""

    count: int = 0
    names: Sequence[str] = ()
    workers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """A group of failures. `total` counts all of its events, whenever they were."""

    id: int
    exception: str
    message: str
    frame: str
    status: str
    changed_at: datetime | None
    regressed_at: datetime | None
    first_at: datetime
    last_at: datetime
    total: int
    sample: str | None
    affected: Affected = field(default_factory=Affected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which groups of a cluster: of these statuses and ids (None is all of them)."""

    cluster_id: int
    statuses: Collection[str] | None = None
    ids: Collection[int] | None = None


async def page(
    connection: AsyncConnection,
    wanted: Wanted,
    since: datetime,
    until: datetime,
    *,
    sort: Sort = "last",
    after: Cursor | None = None,
    limit: int = 50,
) -> Page[ErrorGroup]:
    """Groups with what they did in the interval (`buckets.interval`).

    In the order of `last`, that which failed last comes first, so one that fails while the pages are read moves to
    the front of them; in the order of `first`, that which was seen first last, none moves.
    """
    place = (_G.last_at, _G.id) if sort == "last" else (_G.id,)
    statement = _chosen(wanted).order_by(*(column.desc() for column in place)).limit(limit + 1)
    if after is not None:
        last = (literal(after.seen_at), after.key.int) if sort == "last" else (after.key.int,)
        statement = statement.where(tuple_(*place) < tuple_(*last))
    rows = (await connection.execute(statement)).mappings().all()
    kept = rows[:limit]
    did = await _affected(connection, wanted.cluster_id, since, until, [row["id"] for row in kept])
    more = Cursor(kept[-1]["last_at"], UUID(int=kept[-1]["id"])).token() if len(rows) > limit else None
    return Page([ErrorGroup(**row, affected=did.get(row["id"], Affected())) for row in kept], more)


async def one(
    connection: AsyncConnection, cluster_id: int, group_id: int, since: datetime, until: datetime
) -> ErrorGroup | None:
    """One group, or None."""
    found = await page(connection, Wanted(cluster_id=cluster_id, ids=[group_id]), since, until, limit=1)
    return found.items[0] if found.items else None


async def traceback(connection: AsyncConnection, cluster_id: int, group: ErrorGroup) -> str | None:
    """That of the sample's failure in this group; None where it told none, or there is no sample any more."""
    if group.sample is None:
        return None
    of_this = case((_T.failed_group_id == group.id, _T.traceback), (_T.found_group_id == group.id, _T.found_traceback))
    sample = select(of_this).where(_T.cluster_id == cluster_id, _T.key == ids.task_key(group.sample))
    return (await connection.execute(sample)).scalar()


async def series(
    connection: AsyncConnection,
    cluster_id: int,
    group_ids: Collection[int],
    since: datetime,
    until: datetime,
    *,
    step: timedelta,
) -> Mapping[int, list[tuple[datetime, int]]]:
    """Failures of these groups in steps from `since` to `until` (`buckets.stepped`), steps without any included."""
    source = buckets.rows("error", cluster_id, since, until, by=["group"], group_ids=group_ids, step=step)
    at = func.date_bin(step, source.c.bucket, since)
    rows = await connection.execute(
        select(source.c.group_id, at, func.sum(source.c.count)).group_by(source.c.group_id, at)
    )
    counts = {(group_id, begin): int(count) for group_id, begin, count in rows}
    steps = [since + step * number for number in range((until - since) // step)]
    return {one: [(begin, counts.get((one, begin), 0)) for begin in steps] for one in group_ids}


async def counts(
    connection: AsyncConnection, cluster_id: int, group_ids: Collection[int], since: datetime, until: datetime
) -> Mapping[int, int]:
    """Failures of these groups in an interval (`buckets.interval`); groups without any are absent."""
    return await _counts(connection, buckets.rows("error", cluster_id, since, until, by=["group"], group_ids=group_ids))


async def set_status(
    connection: AsyncConnection, cluster_id: int, group_id: int, status: str, *, actor: str, origin: str, reason: str
) -> bool:
    """Give a group a status and log that as a command which is done; False where there is no such group.

    Where it has that status already nothing changes, and nothing is logged. Committed when this returns.
    """
    parameters = {
        "cluster": cluster_id, "group": group_id, "status": status, "actor": actor, "origin": origin,
        "reason": reason, "target": json.dumps({"error_group": group_id}),
        "arguments": json.dumps({"status": status}), "channel": notices.CHANNEL, "kind": outbox.ERROR_GROUP,
    }  # fmt: skip
    found = (await connection.execute(_SET_STATUS, parameters)).first()
    await connection.commit()
    return found is not None


def _chosen(wanted: Wanted) -> Select[Any]:
    """A group without times has no failure that is committed."""
    sample = (
        select(task_rows.ID)
        .where(_T.cluster_id == _G.cluster_id, _T.failed_group_id == _G.id)
        .order_by(_T.failed_at.desc())
        .limit(1)
        .correlate(tables.error_group)
        .scalar_subquery()
    )
    found = (
        select(task_rows.ID)
        .where(_T.cluster_id == _G.cluster_id, _T.found_group_id == _G.id)
        .limit(1)
        .correlate(tables.error_group)
        .scalar_subquery()
    )
    conditions: list[ColumnElement[bool]] = [_G.cluster_id == wanted.cluster_id, _G.last_at.is_not(None)]
    conditions += [] if wanted.statuses is None else [_G.status.in_(wanted.statuses)]
    conditions += [] if wanted.ids is None else [_G.id.in_(wanted.ids)]
    columns: list[ColumnElement[Any]] = [
        _G.id, _G.exception, _G.message, _G.frame, _G.status, _G.changed_at, _G.regressed_at, _G.first_at, _G.last_at,
        _G.count.label("total"), func.coalesce(sample, found).label("sample"),
    ]  # fmt: skip
    return select(*columns).where(*conditions)


async def _affected(
    connection: AsyncConnection, cluster_id: int, since: datetime, until: datetime, group_ids: Collection[int]
) -> Mapping[int, Affected]:
    if not group_ids:
        return {}
    source = buckets.rows("error", cluster_id, since, until, by=["group", "name", "worker"], group_ids=group_ids)
    called = {by: await _most(connection, cluster_id, by, source) for by in ("name", "worker")}
    return {
        group_id: Affected(count, called["name"][group_id], called["worker"][group_id])
        for group_id, count in (await _counts(connection, source)).items()
    }


async def _counts(connection: AsyncConnection, source: Subquery) -> Mapping[int, int]:
    rows = await connection.execute(select(source.c.group_id, func.sum(source.c.count)).group_by(source.c.group_id))
    return {group_id: int(count) for group_id, count in rows}


async def _most(connection: AsyncConnection, cluster_id: int, by: str, source: Subquery) -> Mapping[int, list[str]]:
    """Names or workers by group, those with most failures first."""
    small = source.c[f"{by}_id"]
    rank = func.row_number().over(partition_by=source.c.group_id, order_by=(func.sum(source.c.count).desc(), small))
    ranked = (
        select(source.c.group_id, small.label("small"), rank.label("rank"))
        .group_by(source.c.group_id, small)
        .subquery()
    )
    rows = await connection.execute(
        select(ranked.c.group_id, ranked.c.small)
        .where(ranked.c.rank <= MOST_NAMES)
        .order_by(ranked.c.group_id, ranked.c.rank)
    )
    found: defaultdict[int, list[int]] = defaultdict(list)
    for group_id, small_id in rows:
        found[group_id].append(small_id)
    called = await names.called(connection, cluster_id, by, {one for some in found.values() for one in some})
    told: defaultdict[int, list[str]] = defaultdict(list)
    for group_id, some in found.items():
        told[group_id] = [called[one] for one in some if one in called]
    return told


# The command is done when it is asked for: no collector takes it.
_SET_STATUS = text("""
WITH there AS (
  SELECT id, status, regressed_at FROM error_group WHERE cluster_id = :cluster AND id = :group FOR UPDATE
), changing AS (
  SELECT id, status FROM there WHERE status <> :status OR regressed_at IS NOT NULL
), changed AS (
  UPDATE error_group g SET status = :status, changed_at = clock_timestamp(), regressed_at = NULL
  FROM changing c WHERE g.id = c.id
), logged AS (
  INSERT INTO command (cluster_id, kind, target, arguments, actor, origin, reason, expires_at, claimed_at, ended_at,
    outcome, reply)
  SELECT :cluster, :kind, CAST(:target AS jsonb), CAST(:arguments AS jsonb), :actor, :origin, :reason, now(),
    now(), now(), 'done', jsonb_build_object('before', status)
  FROM changing RETURNING pg_notify(:channel, CAST(:cluster AS text))
)
SELECT id, (SELECT count(*) FROM logged) FROM there
""")
