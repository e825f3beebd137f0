"""Every count computed again from the raw log, in another way than the collector's, and compared for equality.

`differences(connection)` is empty where rollups and histograms, minutes and hours, every column of every row, are
what the log says, and where the log holds no event twice. It holds after any crash; it does not hold once retention
has dropped a part of the log, and nothing may be written meanwhile.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from flower_store import fingerprint, histograms, packing

Key = tuple[object, ...]

_LOG = """
SELECT t.cluster_id, e.task_id, e.type, k.name, e.at, e.digest, e.name_id, e.worker_id, e.fields
FROM task_event e LEFT JOIN task t ON t.id = e.task_id LEFT JOIN event_type k ON k.id = e.type
"""
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


class Row(NamedTuple):
    """One row of the log."""

    cluster_id: int
    task_id: int
    code: int
    kind: str
    at: datetime
    digest: int
    name_id: int
    worker_id: int
    fields: str


class _Counts:
    def __init__(self) -> None:
        self.rollup: defaultdict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
        self.histogram: defaultdict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 2)
        self.error: defaultdict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0)])


def differences(connection: psycopg.Connection[Any]) -> list[str]:
    """What does not agree, a sentence each."""
    found = [f"logged {times} times: {mark}" for mark, times in _marks(connection).items() if times > 1]
    rows = list(_rows(connection))
    groups = {mark[:2]: mark[2] for mark in connection.execute("SELECT cluster_id, fingerprint, id FROM error_group")}
    by_hour = _recounted(rows, groups, _HOUR)
    for unit, counts in (("1m", _recounted(rows, groups, _MINUTE)), ("1h", by_hour)):
        found += _compared(connection, f"error_{unit}", 5, counts.error)
        found += _compared(connection, f"rollup_{unit}", 5, counts.rollup)
        found += _compared(connection, f"histogram_{unit}", 6, counts.histogram)
    found += _compared(connection, "rollup_1h_by", 5, _of_either(by_hour.rollup))
    found += _compared(connection, "histogram_1h_by", 6, _of_either(by_hour.histogram))
    found += _totals_compared(connection, by_hour)
    found += _queues_compared(connection, by_hour)
    return found + _groups_compared(connection, rows, groups)


def _rows(connection: psycopg.Connection[Any]) -> Iterator[Row]:
    return (Row(*row) for row in connection.execute(_LOG))


def _marks(connection: psycopg.Connection[Any]) -> Counter[Key]:
    return Counter((row.cluster_id, row.task_id, row.at, row.digest) for row in _rows(connection))


def _recounted(rows: list[Row], groups: dict[Key, int], step: timedelta) -> _Counts:
    counts = _Counts()
    tasks: defaultdict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        key = (row.cluster_id, _floor(row.at, step), row.name_id, row.worker_id)
        runtime = _runtime(row)
        _add(counts.rollup, (*key, row.kind), Decimal(1), Decimal(runtime is not None), runtime or Decimal(0))
        if runtime is not None:
            _measure(counts, key, histograms.RUNTIME, runtime)
        if row.kind == "task-failed":
            group = _group(row, groups)
            _add(counts.error, (row.cluster_id, key[1], group, row.name_id, row.worker_id), Decimal(1))
        tasks[row.cluster_id, row.task_id].append(row)
    for events in tasks.values():
        waited = _wait(events)
        if waited is not None:
            start, seconds = waited
            key = (start.cluster_id, _floor(start.at, step), start.name_id, start.worker_id)
            _measure(counts, key, histograms.WAIT, seconds)
    return counts


def _group(row: Row, groups: dict[Key, int]) -> int:
    """The group of its fingerprint; that of those past the bound where that has no row."""
    found = fingerprint.of_fields(packing.unpacked(row.code, "", None, row.fields)).key
    return groups[row.cluster_id, found if (row.cluster_id, found) in groups else UUID(int=0)]


def _groups_compared(connection: psycopg.Connection[Any], rows: list[Row], groups: dict[Key, int]) -> list[str]:
    """Counts are of events; a failure that a result backend knew moves the times alone."""
    failures = [row for row in rows if row.kind == "task-failed"]
    counts = Counter(_group(row, groups) for row in failures)
    times: defaultdict[int, list[datetime]] = defaultdict(list)
    for row in failures:
        times[_group(row, groups)].append(row.at)
    for group, at in connection.execute("SELECT found_group_id, found_at FROM task WHERE found_group_id IS NOT NULL"):
        times[group].append(at)
    expected = {
        group: (counts[group], min(times[group], default=None), max(times[group], default=None))
        for group in groups.values()
    }
    stored = {row[0]: row[1:] for row in connection.execute("SELECT id, count, first_at, last_at FROM error_group")}
    return [
        f"error_group {group}: stored {stored[group]}, the log says {expected[group]}"
        for group in sorted(groups.values())
        if stored[group] != expected[group]
    ]


def _of_either(counts: defaultdict[Key, list[Decimal]]) -> defaultdict[Key, list[Decimal]]:
    """Of each name at all workers, and of each worker with all names."""
    found: defaultdict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * len(next(iter(counts.values()))))
    for (cluster_id, bucket, name_id, worker_id, *rest), numbers in counts.items():
        _add(found, (cluster_id, bucket, 1, name_id, *rest), *numbers)
        _add(found, (cluster_id, bucket, 2, worker_id, *rest), *numbers)
    return found


def _totals_compared(connection: psycopg.Connection[Any], counts: _Counts) -> list[str]:
    """Over all time: events, and run times, which no later event takes back as it does a wait."""
    runtimes = {key: numbers for key, numbers in counts.histogram.items() if key[4] == histograms.RUNTIME}
    events = {key: numbers[:1] for key, numbers in counts.rollup.items()}
    found: list[str] = []
    for kind, width, nothing, kept in (
        ("rollup", 4, [Decimal(0)], events),
        ("histogram", 5, [Decimal(0)] * 2, runtimes),
    ):
        pairs: defaultdict[Key, list[Decimal]] = defaultdict(nothing.copy)
        either: defaultdict[Key, list[Decimal]] = defaultdict(nothing.copy)
        for (cluster_id, _, name_id, worker_id, *rest), numbers in kept.items():
            _add(pairs, (cluster_id, worker_id, name_id, *rest), *numbers)
            _add(either, (cluster_id, 1, name_id, *rest), *numbers)
            _add(either, (cluster_id, 2, worker_id, *rest), *numbers)
        found += _compared(connection, f"{kind}_total", width, pairs)
        found += _compared(connection, f"{kind}_total_by", width, either)
    return found


def _queues_compared(connection: psycopg.Connection[Any], counts: _Counts) -> list[str]:
    """By queue: run times are whole. A wait that an ETA took back later stays, so there are at least as many."""
    runtimes: defaultdict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 2)
    waits: Counter[object] = Counter()
    for (cluster_id, _, name_id, _, measure, slot), numbers in counts.histogram.items():
        if measure == histograms.RUNTIME:
            _add(runtimes, (cluster_id, name_id, slot), *numbers)
        else:
            waits[cluster_id] += int(numbers[0])
    rows = connection.execute(
        "SELECT cluster_id, name_id, slot, sum(count), sum(sum) FROM histogram_total_queue WHERE measure = 1 "
        "GROUP BY 1, 2, 3"
    )
    stored = {row[:3]: list(row[3:]) for row in rows}
    told = connection.execute(
        "SELECT cluster_id, sum(count) FROM histogram_total_queue WHERE measure = 2 GROUP BY 1"
    ).fetchall()
    found = [
        f"histogram_total_queue {key}: stored {stored.get(key)}, the log says {runtimes.get(key)}"
        for key in stored.keys() | runtimes.keys()
        if stored.get(key) != runtimes.get(key)
    ]
    missing = waits - Counter(dict(told))
    return found + [f"histogram_total_queue: {missing} waits are missing"] * bool(missing)


def _floor(at: datetime, step: timedelta) -> datetime:
    return at - (at - datetime(2000, 1, 1, tzinfo=at.tzinfo)) % step


def _runtime(row: Row) -> Decimal | None:
    if row.kind != "task-succeeded":
        return None
    value = packing.unpacked(row.code, "", None, row.fields).get("runtime")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(round(value * 10**6)) / 10**6


def _wait(events: list[Row]) -> tuple[Row, Decimal] | None:
    """The first start after the first sent event, or else the first received one, unless that one has an ETA."""
    in_order = sorted(events, key=lambda row: (row.at, row.digest))
    starts = [row for row in in_order if row.kind == "task-started"]
    begins = [row for kind in ("task-sent", "task-received") for row in in_order if row.kind == kind]
    if not starts or not begins:
        return None
    if packing.unpacked(begins[0].code, "", None, begins[0].fields).get("eta") is not None:
        return None
    waited = max(starts[0].at - begins[0].at, timedelta())
    return starts[0], Decimal(waited // timedelta(microseconds=1)) / 10**6


def _measure(counts: _Counts, key: Key, measure: int, seconds: Decimal) -> None:
    slot = sum(bound < float(seconds) for bound in histograms.BOUNDS)
    _add(counts.histogram, (*key, measure, slot), Decimal(1), seconds)


def _add(counts: defaultdict[Key, list[Decimal]], key: Key, *numbers: Decimal) -> None:
    counts[key] = [one + other for one, other in zip(counts[key], numbers, strict=True)]


def _compared(
    connection: psycopg.Connection[Any], table: str, width: int, expected: defaultdict[Key, list[Decimal]]
) -> list[str]:
    """Rows whose key is the first `width` columns; one that counts nothing is as good as none."""
    rows = connection.execute(f"SELECT * FROM {table}".encode()).fetchall()
    stored = {row[:width]: list(row[width:]) for row in rows if any(row[width:])}
    keys = sorted(stored.keys() | expected.keys(), key=str)
    return [
        f"{table} {key}: stored {stored.get(key)}, the log says {expected.get(key)}"
        for key in keys
        if stored.get(key) != expected.get(key)
    ]
