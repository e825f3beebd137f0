"""Throughput by minute, as a table; the script draws the chart from that table, so both always say the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flower_store import states
from flower_store.records import Bucket
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
    """One row: counts in the order of the chart's series."""

    at: datetime
    counts: Sequence[int]


@dataclass(frozen=True, slots=True)
class Chart:
    """An hour of ends. `minutes` has a row for every minute, quiet ones too; the last one is still running."""

    series: Sequence[str]
    minutes: Sequence[Minute]

    @property
    def totals(self) -> Mapping[str, int]:
        """The sum of each series."""
        columns = zip(*(minute.counts for minute in self.minutes), strict=True)
        return dict(zip(self.series, map(sum, columns), strict=True))

    @property
    def summary(self) -> str:
        """The chart in a sentence."""
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


def chart(buckets: Sequence[Bucket], since: datetime, until: datetime) -> Chart:
    """The chart of these buckets."""
    found = {(bucket.at, bucket.type): bucket.count for bucket in buckets}
    steps = [since + STEP * number for number in range((until - since) // STEP)]
    minutes = [Minute(at, [found.get((at, kind), 0) for kind in _SERIES]) for at in steps]
    return Chart(tuple(_SERIES.values()), minutes)
