"""Counts and histograms of an interval: whole hours from the hourly tables, what is left at its ends from the others.

An interval is of whole minutes. By the minute is kept for days and by the hour for a year, so an interval that begins
long ago begins at its hour.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import Subquery, Table, select, union_all

from flower_store import counting, tables

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
KEPT = timedelta(days=6)
"""By the minute is asked for what is younger; it is kept for 14 days unless that is set otherwise."""

_STEPS = (
    (2 * HOUR, MINUTE),
    (6 * HOUR, 5 * MINUTE),
    (timedelta(days=5), HOUR),
    (timedelta(days=15), 3 * HOUR),
    (timedelta(days=30), 6 * HOUR),
    (timedelta(days=120), 24 * HOUR),
)
_LONGEST = timedelta(days=7)
_BY_MINUTE = 6 * HOUR

Dimension = Literal["name", "worker", "group"]
_DIMENSIONS: Sequence[Dimension] = ("name", "worker", "group")
_BY: Mapping[Dimension, int] = {"name": counting.NAME, "worker": counting.WORKER}
_COUNTED = {"rollup": ("type", "count"), "histogram": ("measure", "slot", "count", "sum"), "error": ("count",)}

_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
"""A Monday."""

_KINDS: dict[str, tuple[Table, Table, Table | None]] = {
    "rollup": (tables.rollup_1m, tables.rollup_1h, tables.rollup_1h_by),
    "histogram": (tables.histogram_1m, tables.histogram_1h, tables.histogram_1h_by),
    "error": (tables.error_1m, tables.error_1h, None),
}


def floor(at: datetime, step: timedelta) -> datetime:
    """The beginning of the step in which a time lies."""
    return at - (at - _EPOCH) % step


def stepped(since: datetime, until: datetime, now: datetime | None = None) -> tuple[datetime, datetime, timedelta]:
    """The interval in steps of a length that suits it, and that length: whole minutes up to six hours, then hours.

    With `now`, hours, too, where it began so long ago that counts by the minute may be gone.
    """
    step = next((step for reach, step in _STEPS if until - since <= reach), _LONGEST)
    if now is not None and now - since > KEPT:
        step = max(step, HOUR)
    return floor(since, step), floor(until - timedelta(microseconds=1), step) + step, step


def interval(since: datetime, until: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The interval as it can be counted: its ends move outwards, to minutes up to six hours, else to hours.

    By the minute a day has sixty times as many rows, and an hour of it as many as the rest.
    """
    step = MINUTE if until - since <= _BY_MINUTE and now - since <= KEPT else HOUR
    return floor(since, step), floor(until - timedelta(microseconds=1), step) + step


def rows(
    kind: Literal["rollup", "histogram", "error"],
    cluster_id: int,
    since: datetime,
    until: datetime,
    *,
    by: Collection[Dimension] = (),
    name_ids: Collection[int] | None = None,
    worker_ids: Collection[int] | None = None,
    group_ids: Collection[int] | None = None,
    step: timedelta = HOUR,
) -> Subquery:
    """All rows of the interval, of all names and workers or of these; each event is in one of them.

    Columns are `bucket`, what the table counts, and the small ids that `by` asks for, as `name_id`. Where they are for
    steps of less than an hour, none is an hour's.
    """
    minutes, hours, hours_by = _KINDS[kind]
    wanted: dict[Dimension, Collection[int] | None] = {"name": name_ids, "worker": worker_ids, "group": group_ids}
    concerned: list[Dimension] = [*(one for one in _DIMENSIONS if one in by or wanted[one] is not None)] or [
        _DIMENSIONS[0]
    ]
    alone = hours_by if len(concerned) == 1 else None
    selects = []
    for table, begin, end in _parts(minutes, hours, since, until, step):
        source = alone if table is hours and alone is not None else table
        c = source.c
        ids = {one: c.id if source is alone else c[f"{one}_id"] for one in concerned}
        conditions = [c.by == _BY[concerned[0]]] if source is alone else []
        conditions += [ids[one].in_(some) for one, some in wanted.items() if some is not None]
        conditions += [c.cluster_id == cluster_id, c.bucket >= begin, c.bucket < end]
        columns = (*(c[name] for name in ("bucket", *_COUNTED[kind])), *(ids[one].label(f"{one}_id") for one in by))
        selects.append(select(*columns).where(*conditions))
    return union_all(*selects).subquery()


def _parts(
    minutes: Table, hours: Table, since: datetime, until: datetime, step: timedelta
) -> list[tuple[Table, datetime, datetime]]:
    first, last = floor(since + HOUR - timedelta(microseconds=1), HOUR), floor(until, HOUR)
    if first >= last or step < HOUR:
        return [(minutes, since, until)]
    parts = [(minutes, since, first), (hours, first, last), (minutes, last, until)]
    return [part for part in parts if part[1] < part[2]]
