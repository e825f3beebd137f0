"""What a batch adds to rollups and histograms, computed from the events that were new to the log.

Counts depend on the log alone: `tests/store/recount.py` computes every row of them again from it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import psycopg

from flower_store import event_types, fold, groups, histograms, moments

_Key = tuple[Any, ...]
"""Of a row: its time, then what it is of, then what it counts."""

NAME: Final = 1
WORKER: Final = 2
"""What the rows of `rollup_1h_by` and its like are of: a name at all workers, a worker with all names."""


class Logged(msgspec.Struct, frozen=True, gc=False):
    """What counts of one event of the log, at a time in microseconds; `eta` where it tells that the task has one."""

    at: int
    digest: int
    code: int
    worker_id: int
    name_id: int
    eta: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Microseconds that a task waited, and where that counts: at its start, under the name that is logged with it."""

    at: int
    name_id: int
    worker_id: int
    micros: int


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
    if started is None or begun is None or begun.eta:
        return None
    return Wait(started.at, started.name_id, started.worker_id, max(0, started.at - begun.at))


class Tally:
    """Counts of one batch. Sums are whole microseconds: exact in any order, as sums of floats are not."""

    def __init__(self) -> None:
        self._rollup: defaultdict[tuple[int, int, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        self._histogram: defaultdict[tuple[int, int, int, int, int], list[int]] = defaultdict(lambda: [0, 0])
        self._errors: defaultdict[tuple[int, int, int, int], list[int]] = defaultdict(lambda: [0])
        self._groups: dict[int, groups.Failures] = {}
        self._queues: defaultdict[tuple[int, int, int, int], list[int]] = defaultdict(lambda: [0, 0])

    def event(self, event: Logged, event_type: str, fields: Mapping[str, object], *, queue_id: int = 0) -> None:
        """Count an event that is new to the log; `queue_id` is that of its task as far as it is known, or 0."""
        minute = event.at - event.at % moments.MINUTE
        counted = self._rollup[minute, event.name_id, event.worker_id, event_type]
        counted[0] += 1
        if event.code != event_types.SUCCEEDED:
            return
        runtime = fold.number(fields, "runtime")
        if runtime is not None:
            counted[1] += 1
            micros = round(runtime * moments.SECOND)
            counted[2] += micros
            self._measure((minute, event.name_id, event.worker_id), histograms.RUNTIME, micros)
            self._once((queue_id, event.name_id), histograms.RUNTIME, micros)

    def failure(self, event: Logged, group_id: int) -> None:
        """Count a failure that is new to the log in its error group."""
        self._errors[event.at - event.at % moments.MINUTE, group_id, event.name_id, event.worker_id][0] += 1
        found = self._groups.get(group_id)
        if found is None:
            self._groups[group_id] = groups.Failures(1, event.at, event.at)
            return
        found.count += 1
        found.first = min(found.first, event.at)
        found.last = max(found.last, event.at)

    def wait(self, before: Wait | None, after: Wait | None, *, queue_id: int = 0) -> None:
        """Count a task's wait, in the place of what it was before the batch; by queue, as it was known first."""
        if before == after:
            return
        if before is None and after is not None:
            self._once((queue_id, after.name_id), histograms.WAIT, after.micros)
        for found, sign in ((before, -1), (after, 1)):
            if found is not None:
                minute = found.at - found.at % moments.MINUTE
                self._measure((minute, found.name_id, found.worker_id), histograms.WAIT, found.micros, sign)

    def write(self, cursor: psycopg.Cursor, cluster_id: int) -> None:
        """Add the counts to their tables, each in the order of its keys: minutes, and what PostgreSQL sums of them."""
        kinds = ((self._rollup, _ROLLUPS), (self._histogram, _HISTOGRAMS), (self._errors, _ERRORS))
        for counts, statements in kinds:
            if counts:
                columns = _columns(counts)
                for statement in statements:
                    cursor.execute(statement, (cluster_id, *columns))
        if self._queues:
            cursor.execute(_QUEUES, (cluster_id, *_arrays(self._queues)))
        if self._groups:
            groups.count(cursor, self._groups)

    def _once(self, where: tuple[int, int], measure: int, micros: int) -> None:
        """For totals that nothing takes back."""
        counted = self._queues[*where, measure, histograms.slot(micros / moments.SECOND)]
        counted[0] += 1
        counted[1] += micros

    def _measure(self, where: tuple[int, int, int], measure: int, micros: int, sign: int = 1) -> None:
        # The slot of what is summed: a run time of 0.70000027 s would else lie past the bound of the 0.7 s it adds.
        counted = self._histogram[*where, measure, histograms.slot(micros / moments.SECOND)]
        counted[0] += sign
        counted[1] += sign * micros


def _columns(counts: Mapping[_Key, list[int]]) -> list[str]:
    """An array a column. As text: the driver asks each element of a list for its type, a fifth of a batch's time."""
    times, *columns = _transposed(counts)
    buckets = {at: str(moments.moment(at)) for at in set(times)}
    return [_array([buckets[at] for at in times]), *map(_array, columns)]


def _arrays(counts: Mapping[_Key, list[int]]) -> list[str]:
    """The same of what has no time."""
    return list(map(_array, _transposed(counts)))


def _transposed(counts: Mapping[_Key, list[int]]) -> list[tuple[Any, ...]]:
    return list(zip(*((*key, *numbers) for key, numbers in counts.items()), strict=True))


def _array(values: Sequence[object]) -> str:
    if isinstance(values[0], str):
        quoted = {value: _quoted(str(value)) for value in set(values)}
        values = [quoted[value] for value in values]
    return f"{{{','.join(map(str, values))}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def _upserts(
    stem: str, keys: Mapping[str, str], sums: Mapping[str, str], *, totals: Collection[str], condition: str = "true"
) -> list[bytes]:
    """Into the tables of minutes, of hours, of all time, and of hours and all time by one: a name, a worker.

    Columns by name with their types. All come from the same arrays by minute. What is numeric comes in whole
    microseconds and is kept in seconds. `totals` are the sums that are kept for all time, of rows with `condition`:
    those that no later batch takes back.
    """
    arrays = [f"%s::{kind}[]" for kind in ("timestamptz", *keys.values(), *("bigint" for _ in sums))]
    rows = f"unnest({', '.join(arrays)}) AS u({', '.join(('bucket', *keys, *sums))})"
    each = f"{rows} CROSS JOIN LATERAL (VALUES ({NAME}, u.name_id), ({WORKER}, u.worker_id)) AS one(by, id)"
    made = {name: f"u.{name}" for name in keys}
    of_one = {"by": "one.by", "id": "one.id"} | {name: of for name, of in made.items() if name not in _BOTH}
    kept = {name: sums[name] for name in totals}
    by_worker = {"worker_id": made["worker_id"]} | made
    return [
        _upsert(f"{stem}_1m", {"bucket": "u.bucket"} | made, sums, rows),
        _upsert(f"{stem}_1h", {"bucket": _HOUR} | made, sums, rows),
        _upsert(f"{stem}_1h_by", {"bucket": _HOUR} | of_one, sums, each),
        _upsert(f"{stem}_total", by_worker, kept, f"{rows} WHERE {condition}"),
        _upsert(f"{stem}_total_by", of_one, kept, f"{each} WHERE {condition}"),
    ]


def _upsert(table: str, keys: Mapping[str, str], sums: Mapping[str, str], rows: str) -> bytes:
    summed = (f"sum(u.{name}){' * 0.000001' if kind == 'numeric' else ''}" for name, kind in sums.items())
    places = ", ".join(map(str, range(2, len(keys) + 2)))
    added = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in sums)
    return (
        f"INSERT INTO {table} AS r (cluster_id, {', '.join((*keys, *sums))}) "
        f"SELECT %s, {', '.join((*keys.values(), *summed))} FROM {rows} GROUP BY {places} ORDER BY {places} "
        f"ON CONFLICT (cluster_id, {', '.join(keys)}) DO UPDATE SET {added}"
    ).encode()


_HOUR = "date_bin('1 hour', u.bucket, 'epoch')"
_BOTH = {"name_id": "integer", "worker_id": "integer"}

_ROLLUPS = _upserts(
    "rollup",
    _BOTH | {"type": "text"},
    {"count": "bigint", "runtime_count": "bigint", "runtime_sum": "numeric"},
    totals=["count"],
)
_HISTOGRAMS = _upserts(
    "histogram",
    _BOTH | {"measure": "smallint", "slot": "smallint"},
    {"count": "bigint", "sum": "numeric"},
    totals=["count", "sum"],
    condition=f"u.measure = {histograms.RUNTIME}",
)
_BY_QUEUE = {"queue_id": "integer", "name_id": "integer", "measure": "smallint", "slot": "smallint"}
_QUEUES = _upsert(
    "histogram_total_queue",
    {name: f"u.{name}" for name in _BY_QUEUE},
    {"count": "bigint", "sum": "numeric"},
    f"unnest({', '.join(f'%s::{kind}[]' for kind in (*_BY_QUEUE.values(), 'bigint', 'bigint'))}) "
    f"AS u({', '.join(_BY_QUEUE)}, count, sum)",
)
_ERRORS = _upserts("error", {"group_id": "integer"} | _BOTH, {"count": "bigint"}, totals=())[:2]
