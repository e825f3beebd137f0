"""The arithmetic of the completeness audit: heartbeats of one process to intervals, intervals to rows. Pure.

Between two heartbeats h1, h2 of one process with clocks c1 < c2, `processed` grows by exactly the number of its
task-started events with a clock in between; what the log does not hold of them was lost. What follows the last
heartbeat is not audited until the next one, and the first one that was seen is where counting begins.

A new incarnation begins where the clock or `processed` falls, or a worker came online with `processed` 0: a container
restarts under the same name and pid. Nothing is counted across that line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flower_store import losses

LONGEST = timedelta(hours=6)
"""A longer silence than this is not audited: counting would read the log of days for a clock that jumped."""

HEARTBEATS = 3
"""Heartbeats whose time an interval may take: in a longer one some are missing, and not task events alone."""

_WHOLE_WITHIN = timedelta(hours=1)
_MISSING_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, order=True)
class Beat:
    """One sign of life of a process, in the order of its own time."""

    at: datetime
    clock: int
    processed: int
    active: int
    online: bool
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Process:
    """How far a process is audited: its last heartbeat, its incarnation, and when that began and was last idle."""

    incarnation: int
    begun_at: datetime
    last: Beat
    idle_at: datetime | None = None
    idle_clock: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Between two heartbeats of a process. `missing` is what was expected less what was `seen`; negative is no loss."""

    worker_id: int
    pid: int
    incarnation: int
    clock_from: int
    clock_to: int
    began_at: datetime
    ended_at: datetime
    received_from: datetime
    received_to: datetime
    processed: int
    seen: int = 0
    cause: str | None = None
    gap_id: int | None = None
    id: int | None = None

    @property
    def missing(self) -> int:
        """Starts that were not seen."""
        return max(0, self.processed - self.seen)


def follow(
    worker_id: int, pid: int, known: Process | None, beats: Iterable[Beat]
) -> tuple[Process | None, list[Interval]]:
    """The process after these heartbeats, and the intervals between them. Those that come late change nothing."""
    found: list[Interval] = []
    for beat in sorted(beats):
        if known is None:
            known = _begun(beat, 1)
        elif (beat.at, beat.clock) > (known.last.at, known.last.clock):
            if _is_new(known.last, beat):
                known = _begun(beat, known.incarnation + 1)
                continue
            if beat.at - known.last.at <= LONGEST:
                found.append(_between(worker_id, pid, known, beat))
            known = _moved(known, beat)
    return known, found


def _is_new(last: Beat, beat: Beat) -> bool:
    began_anew = beat.online and beat.processed == 0
    return began_anew or beat.clock <= last.clock or beat.processed < last.processed


def _begun(beat: Beat, incarnation: int) -> Process:
    return _moved(Process(incarnation, beat.at, beat), beat)


def _moved(process: Process, beat: Beat) -> Process:
    if beat.active == 0:
        return replace(process, last=beat, idle_at=beat.at, idle_clock=beat.clock)
    return replace(process, last=beat)


def _between(worker_id: int, pid: int, process: Process, beat: Beat) -> Interval:
    last = process.last
    return Interval(
        worker_id=worker_id,
        pid=pid,
        incarnation=process.incarnation,
        clock_from=last.clock,
        clock_to=beat.clock,
        began_at=last.at,
        ended_at=beat.at,
        received_from=last.received_at,
        received_to=beat.received_at,
        processed=beat.processed - last.processed,
    )


def silence(interval: Interval, freq: float | None) -> str:
    """Why no event at all came of it, of a worker with this heartbeat interval (seconds).

    Where heartbeats are missing, too, nobody knows. A row that is counted again may be of many intervals by now, and
    keeps its cause.
    """
    if interval.id is not None:
        return losses.EVENTS_OFF if interval.cause == losses.EVENTS_OFF else losses.UNKNOWN
    longest = HEARTBEATS * timedelta(seconds=freq or 0)
    return losses.EVENTS_OFF if interval.ended_at - interval.began_at <= longest else losses.UNKNOWN


def ranges(intervals: Iterable[Interval]) -> list[list[Interval]]:
    """The intervals in groups whose times overlap: a worker with a wrong clock widens no other's reading of the log."""
    groups: list[list[Interval]] = []
    until: datetime | None = None
    for interval in sorted(intervals, key=lambda one: one.began_at):
        if until is None or interval.began_at > until:
            groups.append([])
            until = interval.ended_at
        groups[-1].append(interval)
        until = max(until, interval.ended_at)
    return groups


def compact(tail: Interval | None, found: Sequence[Interval]) -> list[Interval]:
    """The rows for these intervals of one process, in order; the first may be the tail, grown."""
    rows = [tail] if tail is not None else []
    for interval in found:
        if rows and _touch(rows[-1], interval) and _alike(rows[-1], interval):
            rows[-1] = _joined(rows[-1], interval)
        else:
            rows.append(interval)
    return [row for row in rows if row is not tail]


def _touch(row: Interval, interval: Interval) -> bool:
    return (row.incarnation, row.clock_to) == (interval.incarnation, interval.clock_from)


def _alike(row: Interval, interval: Interval) -> bool:
    """Whether both make one row: two whole ones, two of one cause, or a start that was told a heartbeat too late."""
    if interval.missing:
        unit = _WHOLE_WITHIN if row.cause == losses.EVENTS_OFF else _MISSING_WITHIN
        return row.missing > 0 and row.cause == interval.cause and _same(unit, row, interval)
    if row.missing:
        return interval.seen > interval.processed
    return _same(_WHOLE_WITHIN, row, interval)


def _same(unit: timedelta, row: Interval, interval: Interval) -> bool:
    return row.began_at.timestamp() // unit.total_seconds() == interval.began_at.timestamp() // unit.total_seconds()


def _joined(row: Interval, interval: Interval) -> Interval:
    joined = replace(
        row,
        clock_to=interval.clock_to,
        ended_at=interval.ended_at,
        received_to=interval.received_to,
        processed=row.processed + interval.processed,
        seen=row.seen + interval.seen,
    )
    return joined if joined.missing else replace(joined, cause=None, gap_id=None)
