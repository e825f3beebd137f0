"""Throughput by minute, as a table; the script draws the chart from that table, so both always say the same.

Where events were not seen a count may be too low: the gaps stand in the rows of the minutes that they touch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flower_store import states
from flower_store.records import Bucket, GapRecord
from flower_web import formats

STEP = timedelta(minutes=1)
_SERIES = {
    "task-succeeded": states.SUCCESS,
    "task-retried": states.RETRY,
    "task-revoked": states.REVOKED,
    "task-failed": states.FAILURE,
}
"""Bottom to top."""


@dataclass(frozen=True, slots=True)
class Minute:
    """One row: counts in the order of the chart's series, and the gaps that touch it."""

    at: datetime
    counts: Sequence[int]
    gaps: Sequence[GapRecord] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """An hour of ends. `minutes` has a row for every minute, quiet ones too; the last one is still running."""

    series: Sequence[str]
    minutes: Sequence[Minute]
    gaps: Sequence[GapRecord] = ()

    @property
    def totals(self) -> Mapping[str, int]:
        """The sum of each series."""
        columns = zip(*(minute.counts for minute in self.minutes), strict=True)
        return dict(zip(self.series, map(sum, columns), strict=True))

    @property
    def summary(self) -> str:
        """The chart in a sentence or two."""
        return " ".join(filter(None, (self._ends, self._gaps)))

    @property
    def _gaps(self) -> str:
        if not self.gaps:
            return ""
        number = len(self.gaps)
        return f"In {number} {'interval' if number == 1 else 'intervals'} of it events may be missing."

    @property
    def _ends(self) -> str:
        totals = self.totals
        if not any(totals.values()):
            return "No task ended in the last hour."
        parts = [f"{formats.count(totals[state])} {state}" for state in self.series if totals[state]]
        peak = max(self.minutes, key=lambda minute: sum(minute.counts))
        return (
            f"In the last hour: {', '.join(parts)}. "
            f"Most in a minute: {formats.count(sum(peak.counts))}, at {peak.at:%H:%M} UTC."
        )


def window(now: datetime) -> tuple[datetime, datetime]:
    """The last hour in whole minutes, the running one included."""
    until = now.replace(second=0, microsecond=0) + STEP
    return until - timedelta(hours=1), until


def chart(buckets: Sequence[Bucket], since: datetime, until: datetime, gaps: Sequence[GapRecord] = ()) -> Chart:
    """The chart of these buckets, with the gaps that touch the interval."""
    found = {(bucket.at, bucket.type): bucket.count for bucket in buckets}
    steps = [since + STEP * number for number in range((until - since) // STEP)]
    shown = [gap for gap in gaps if _touches(gap, since, until)]
    minutes = [
        Minute(
            at,
            [found.get((at, kind), 0) for kind in _SERIES],
            [gap for gap in shown if _touches(gap, at, at + STEP)],
        )
        for at in steps
    ]
    return Chart(tuple(_SERIES.values()), minutes, shown)


def _touches(gap: GapRecord, since: datetime, until: datetime) -> bool:
    return gap.started_at < until and gap.ended_at >= since
