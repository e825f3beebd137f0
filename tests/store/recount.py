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

import psycopg

from flower_store import histograms, packing

Key = tuple[object, ...]

_LOG = """
SELECT e.cluster_id, e.task_id, e.type, k.name, e.at, e.digest, e.name_id, e.worker_id, e.fields
FROM task_event e LEFT JOIN event_type k ON k.id = e.type
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


def differences(connection: psycopg.Connection[Any]) -> list[str]:
    """What does not agree, a sentence each."""
    found = [f"logged {times} times: {mark}" for mark, times in _marks(connection).items() if times > 1]
    rows = list(_rows(connection))
    for unit, step in (("1m", _MINUTE), ("1h", _HOUR)):
        counts = _recounted(rows, step)
        found += _compared(connection, f"rollup_{unit}", 5, counts.rollup)
        found += _compared(connection, f"histogram_{unit}", 6, counts.histogram)
    return found


def _rows(connection: psycopg.Connection[Any]) -> Iterator[Row]:
    return (Row(*row) for row in connection.execute(_LOG))


def _marks(connection: psycopg.Connection[Any]) -> Counter[Key]:
    return Counter((row.cluster_id, row.task_id, row.at, row.digest) for row in _rows(connection))


def _recounted(rows: list[Row], step: timedelta) -> _Counts:
    counts = _Counts()
    tasks: defaultdict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        key = (row.cluster_id, _floor(row.at, step), row.name_id, row.worker_id)
        runtime = _runtime(row)
        _add(counts.rollup, (*key, row.kind), Decimal(1), Decimal(runtime is not None), runtime or Decimal(0))
        if runtime is not None:
            _measure(counts, key, histograms.RUNTIME, runtime)
        tasks[row.cluster_id, row.task_id].append(row)
    for events in tasks.values():
        waited = _wait(events)
        if waited is not None:
            start, seconds = waited
            key = (start.cluster_id, _floor(start.at, step), start.name_id, start.worker_id)
            _measure(counts, key, histograms.WAIT, seconds)
    return counts


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
