"""What a name, a worker or a cluster did in an interval, as our own addresses tell it."""

import msgspec

from flower_store.records import Activity, Distribution

_KINDS = ("sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected")


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, read from a histogram: at most a quarter off. `mean` is exact. Null where nothing was measured."""

    measured: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    total: float


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """Events by type, and how long tasks ran (those that succeeded) and waited (without those with an ETA).

    `failure_share` is of all ends, `retry_share` of all starts; null where there are none.
    """

    counts: dict[str, int]
    ended: int
    failure_share: float | None
    retry_share: float | None
    run: Times
    wait: Times


def done(activity: Activity) -> Done:
    """An activity; types of the user's own are left out."""
    return Done(
        counts={kind: activity.counts.get(f"task-{kind}", 0) for kind in _KINDS},
        ended=activity.ended,
        failure_share=activity.failure_share,
        retry_share=activity.retry_share,
        run=_times(activity.run),
        wait=_times(activity.wait),
    )


def _times(found: Distribution) -> Times:
    mean = round(found.total / found.measured, 6) if found.measured > 0 else None
    return Times(measured=found.measured, mean=mean, p50=found.p50, p95=found.p95, p99=found.p99, total=found.total)
