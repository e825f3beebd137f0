"""What a batch adds to rollups and histograms, computed from the events that were new to the log.

Counts depend on the log alone: `tests/store/recount.py` computes every row of them again from it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import psycopg

from flower_store import event_types, fold, histograms, packing

_MICROSECONDS = 1_000_000


class Logged(msgspec.Struct, frozen=True, gc=False):
    """What counts of one event of the log. `fields` is only there where it says whether the task has an ETA."""

    at: datetime
    digest: int
    code: int
    worker_id: int
    name_id: int
    fields: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a task waited, and where that counts: at its start, under the name that is logged with it."""

    at: datetime
    name_id: int
    worker_id: int
    seconds: float


def wait(events: Iterable[Logged]) -> Wait | None:
    """From the first sent event (or else the first received one) to the first start; None while one is missing.

    Tasks with an ETA or a countdown wait on purpose and have none. A function of the set of events: order,
    repetition and batches do not matter. Clocks that disagree give a wait of nothing, never less.
    """
    first: dict[int, Logged] = {}
    for event in events:
        found = first.get(event.code)
        if found is None or (event.at, event.digest) < (found.at, found.digest):
            first[event.code] = event
    started = first.get(event_types.STARTED)
    begun = first.get(event_types.SENT) or first.get(event_types.RECEIVED)
    if started is None or begun is None or packing.has_eta(begun.code, begun.fields or ""):
        return None
    seconds = max(0.0, (started.at - begun.at).total_seconds())
    return Wait(started.at, started.name_id, started.worker_id, seconds)


class Tally:
    """Counts of one batch. Sums are whole microseconds: exact in any order, as sums of floats are not."""

    def __init__(self) -> None:
        self._rollup: defaultdict[tuple[datetime, int, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        self._histogram: defaultdict[tuple[datetime, int, int, int, int], list[int]] = defaultdict(lambda: [0, 0])

    def event(self, event: Logged, event_type: str, fields: Mapping[str, object]) -> None:
        """Count an event that is new to the log."""
        minute = event.at.replace(second=0, microsecond=0)
        counted = self._rollup[minute, event.name_id, event.worker_id, event_type]
        counted[0] += 1
        if event.code != event_types.SUCCEEDED:
            return
        runtime = fold.number(fields, "runtime")
        if runtime is not None:
            counted[1] += 1
            counted[2] += round(runtime * _MICROSECONDS)
            self._measure((minute, event.name_id, event.worker_id), histograms.RUNTIME, runtime)

    def wait(self, before: Wait | None, after: Wait | None) -> None:
        """Count a task's wait, in the place of what it was before the batch."""
        if before == after:
            return
        for found, sign in ((before, -1), (after, 1)):
            if found is not None:
                minute = found.at.replace(second=0, microsecond=0)
                self._measure((minute, found.name_id, found.worker_id), histograms.WAIT, found.seconds, sign)

    def write(self, cursor: psycopg.Cursor, cluster_id: int) -> None:
        """Add the counts to their tables, minutes and hours, in the order of their keys."""
        for counts, (by_minute, by_hour) in ((self._rollup, _ROLLUPS), (self._histogram, _HISTOGRAMS)):
            _add(cursor, by_minute, cluster_id, counts)
            _add(cursor, by_hour, cluster_id, _hourly(counts))

    def _measure(self, where: tuple[datetime, int, int], measure: int, seconds: float, sign: int = 1) -> None:
        # The slot of what is summed: a run time of 0.70000027 s would else lie past the bound of the 0.7 s it adds.
        microseconds = round(seconds * _MICROSECONDS)
        counted = self._histogram[*where, measure, histograms.slot(microseconds / _MICROSECONDS)]
        counted[0] += sign
        counted[1] += sign * microseconds


def _hourly(counts: Mapping[Any, list[int]]) -> dict[Any, list[int]]:
    """The same by the hour. The time stands first in a key."""
    found: dict[Any, list[int]] = {}
    for (at, *rest), numbers in counts.items():
        key = (at.replace(minute=0), *rest)
        there = found.get(key)
        found[key] = numbers if there is None else [one + other for one, other in zip(there, numbers, strict=True)]
    return found


def _add(cursor: psycopg.Cursor, statement: bytes, cluster_id: int, counts: Mapping[Any, list[int]]) -> None:
    """One row a key. Arrays go as text: the driver asks each element of a list for its type, a fifth of the time that
    a batch took."""
    if counts:
        rows = [(*key, *counts[key]) for key in sorted(counts)]
        cursor.execute(statement, (cluster_id, *map(_array, zip(*rows, strict=True))))


def _array(values: Sequence[int | str | datetime]) -> str:
    if isinstance(values[0], int):
        return f"{{{','.join(map(str, values))}}}"
    quoted = {value: _quoted(str(value)) for value in set(values)}
    return f"{{{','.join([quoted[value] for value in values])}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def _rollup(table: str) -> bytes:
    return (
        f"INSERT INTO {table} AS r (cluster_id, bucket, name_id, worker_id, type, count, runtime_count, runtime_sum) "
        "SELECT %s, u.a, u.b, u.c, u.d, u.e, u.f, u.g * 0.000001 FROM unnest(%s::timestamptz[], %s::integer[], "
        "%s::integer[], %s::text[], %s::bigint[], %s::bigint[], %s::numeric[]) "
        "WITH ORDINALITY AS u(a, b, c, d, e, f, g, n) ORDER BY n "
        "ON CONFLICT (cluster_id, bucket, name_id, worker_id, type) DO UPDATE SET count = r.count + excluded.count, "
        "runtime_count = r.runtime_count + excluded.runtime_count, runtime_sum = r.runtime_sum + excluded.runtime_sum"
    ).encode()


def _histogram(table: str) -> bytes:
    return (
        f"INSERT INTO {table} AS r (cluster_id, bucket, name_id, worker_id, measure, slot, count, sum) "
        "SELECT %s, u.a, u.b, u.c, u.d, u.e, u.f, u.g * 0.000001 FROM unnest(%s::timestamptz[], %s::integer[], "
        "%s::integer[], %s::smallint[], %s::smallint[], %s::bigint[], %s::numeric[]) "
        "WITH ORDINALITY AS u(a, b, c, d, e, f, g, n) ORDER BY n "
        "ON CONFLICT (cluster_id, bucket, name_id, worker_id, measure, slot) "
        "DO UPDATE SET count = r.count + excluded.count, sum = r.sum + excluded.sum"
    ).encode()


_ROLLUPS = (_rollup("rollup_1m"), _rollup("rollup_1h"))
_HISTOGRAMS = (_histogram("histogram_1m"), _histogram("histogram_1h"))
