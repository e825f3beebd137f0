"""The families that Flower did not have, named by Prometheus' conventions: seconds, and `_total` for counters."""

from collections.abc import Iterator, Sequence

from flower_api.metrics.exposition import Family, label
from flower_api.metrics.histogram import Buckets
from flower_store import histograms, marks
from flower_store.metric_records import Figure, Figures, QueueTimes, Snapshot
from flower_store.reads import metric_figures as of

_KINDS = {
    "flower_task_failures_total": (
        "counter", "Task failures by exception, since the first one that was stored", of.FAILURES, ("exception",),
    ),
    "flower_marked_tasks": (
        "gauge", "Unfinished tasks on which nobody seems to work, by why it seems so", of.MARKED, ("kind",),
    ),
    "flower_workers": ("gauge", "Workers ever heard of, by whether they are online", of.WORKERS, ("status",)),
    "flower_worker_pool_size": (
        "gauge", "Tasks that an online worker can execute at a time", of.POOLS, ("worker",),
    ),
    "flower_queue_messages": ("gauge", "Messages in a queue, as it was sampled last", of.MESSAGES, ("queue",)),
    "flower_queue_messages_ready": ("gauge", "Messages that wait for a consumer", of.READY, ("queue",)),
    "flower_queue_messages_unacknowledged": (
        "gauge", "Messages that consumers hold and have not acknowledged", of.UNACKED, ("queue",),
    ),
    "flower_queue_consumers": ("gauge", "Consumers of a queue", of.CONSUMERS, ("queue",)),
    "flower_queue_oldest_message_age_seconds": (
        "gauge", "How long the oldest message of a queue has waited", of.OLDEST, ("queue",),
    ),
    "flower_gaps": (
        "gauge", "Intervals that are kept in which events were or may have been lost", of.GAPS, ("reason",),
    ),
    "flower_gap_lost_events": ("gauge", "Events lost in them, where it is known how many", of.LOST_EVENTS, ("reason",)),
    "flower_gap_last_end_timestamp_seconds": ("gauge", "When the last of them ended", of.LAST_GAP, ("reason",)),
    "flower_set_aside_messages": (
        "gauge", "Messages that are kept because they could not be taken as they were", of.SET_ASIDE, ("reason",),
    ),
    "flower_ingest_collectors": ("gauge", "Collectors that are alive", of.COLLECTORS, ()),
    "flower_ingest_lag_seconds": (
        "gauge", "From the newest stored event's own time to its commit, of the slowest collector", of.LAG, (),
    ),
    "flower_commands_total": (
        "counter", "Commands that came to an end, by kind and outcome", of.COMMANDS, ("kind", "outcome"),
    ),
    "flower_commands_waiting": ("gauge", "Commands that no collector has taken yet", of.WAITING_COMMANDS, ()),
}  # fmt: skip

_ALWAYS = {
    of.MARKED: marks.KINDS,
    of.WORKERS: ("online", "offline"),
}
"""What is told as 0 where nothing was counted, so that a rule can wait for it."""


def families(figures: Figures) -> list[Family]:
    """Of what changes slowly."""
    return [
        Family(name, "counter" if kind == "counter" else "gauge", said, "".join(_lines(name, labels, figures, what)))
        for name, (kind, said, what, labels) in _KINDS.items()
    ]


def times(snapshot: Snapshot, bounds: Sequence[float]) -> list[Family]:
    """Histograms by queue."""
    buckets = Buckets(bounds)
    told = {
        histograms.WAIT: ("flower_queue_task_wait_seconds", "From a task being sent, or else received, to its start"),
        histograms.RUNTIME: ("flower_queue_task_runtime_seconds", "Task runtime"),
    }
    return [
        Family(
            name,
            "histogram",
            said,
            "".join(_times(name, [one for one in snapshot.queues if one.measure == measure], buckets)),
        )
        for measure, (name, said) in told.items()
    ]


def utilization(snapshot: Snapshot, figures: Figures) -> Family:
    """Which part of its pool a worker uses, by its last heartbeat."""
    sizes = {(one.cluster, one.of[0]): one.value for one in figures[of.POOLS]}
    name = "flower_worker_pool_utilization_ratio"
    lines = [
        f"{name}{_labels(('worker',), Figure(one.cluster, (one.hostname,), 0))} {one.executing / size}\n"
        for one in snapshot.workers
        if one.online and one.executing is not None and (size := sizes.get((one.cluster, one.hostname)))
    ]
    return Family(name, "gauge", "Executing tasks of an online worker as a part of its pool", "".join(lines))


def _lines(name: str, labels: Sequence[str], figures: Figures, what: str) -> Iterator[str]:
    for one in (*figures[what], *_nothing(figures, what)):
        value = int(one.value) if one.value.is_integer() else one.value
        yield f"{name}{_labels(labels, one)} {value}\n"


def _nothing(figures: Figures, what: str) -> Iterator[Figure]:
    there = {(one.cluster, one.of) for one in figures[what]}
    for cluster in figures[of.CLUSTERS]:
        for word in _ALWAYS.get(what, ()):
            if (cluster.cluster, (word,)) not in there:
                yield Figure(cluster.cluster, (word,), 0.0)


def _labels(names: Sequence[str], one: Figure) -> str:
    told = [f'{name}="{label(value)}"' for name, value in zip(("cluster", *names), (one.cluster, *one.of), strict=True)]
    return f"{{{','.join(told)}}}"


def _times(name: str, found: Sequence[QueueTimes], buckets: Buckets) -> Iterator[str]:
    for one in found:
        tail = f'queue="{label(one.queue)}",task="{label(one.task)}"'
        yield buckets.lines(name, f'cluster="{label(one.cluster)}"', tail, one.counts, one.seconds)
