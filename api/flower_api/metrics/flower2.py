"""Flower's six families: its names, labels and buckets, and one label more, `cluster`."""

from collections.abc import Iterator, Sequence

from flower_api.metrics.exposition import Family, label
from flower_api.metrics.histogram import Buckets
from flower_store import event_types
from flower_store.metric_records import EventCounts, Prefetch, Runtimes, Snapshot, WorkerState

_NOTHING = Prefetch(0, 0.0)
_RECEIVED = event_types.NAMES[event_types.RECEIVED]
_STARTED = event_types.NAMES[event_types.STARTED]


def families(snapshot: Snapshot, bounds: Sequence[float]) -> list[Family]:
    """In Flower's order. `bounds` are upper ones of run times in seconds, the last of them infinite."""
    told = [one for one in snapshot.workers if one.executing is not None]
    return [
        Family("flower_events_total", "counter", "Number of events", "".join(map(_events, snapshot.events))),
        Family("flower_task_runtime_seconds", "histogram", "Task runtime", _runtimes(snapshot.runtimes, bounds)),
        Family(
            "flower_task_prefetch_time_seconds",
            "gauge",
            "The time the task spent waiting at the celery worker to be executed.",
            "".join(_prefetch_times(snapshot)),
        ),
        Family(
            "flower_worker_prefetched_tasks",
            "gauge",
            "Number of tasks of given type prefetched at a worker",
            "".join(_prefetched(snapshot)),
        ),
        Family("flower_worker_online", "gauge", "Worker online status", "".join(map(_online, snapshot.workers))),
        Family(
            "flower_worker_number_of_currently_executing_tasks",
            "gauge",
            "Number of tasks currently executing at a worker",
            "".join(map(_executing, told)),
        ),
    ]


def _events(of: EventCounts) -> str:
    head = f'flower_events_total{{cluster="{label(of.cluster)}",task="'
    tail = f'",worker="{label(of.worker)}"}} '
    rows = zip(map(label, of.tasks), map(label, of.types), of.counts, strict=True)
    return "".join([f'{head}{task}",type="{kind}{tail}{count}\n' for task, kind, count in rows])


def _runtimes(found: Sequence[Runtimes], bounds: Sequence[float]) -> str:
    buckets, name = Buckets(bounds), "flower_task_runtime_seconds"
    return "".join([buckets.lines(name, *_split(of), of.counts, of.seconds) for of in found])


def _split(of: Runtimes) -> tuple[str, str]:
    """The labels that stand before `le` and behind it."""
    return f'cluster="{label(of.cluster)}"', f'task="{label(of.task)}",worker="{label(of.worker)}"'


def _prefetch_times(snapshot: Snapshot) -> Iterator[str]:
    for cluster, worker, task in _pairs(snapshot, _STARTED):
        seconds = snapshot.prefetch.get((cluster, worker, task), _NOTHING).seconds
        yield f"flower_task_prefetch_time_seconds{_labels(cluster, worker, task)} {seconds}\n"


def _prefetched(snapshot: Snapshot) -> Iterator[str]:
    for cluster, worker, task in _pairs(snapshot, _RECEIVED):
        tasks = snapshot.prefetch.get((cluster, worker, task), _NOTHING).tasks
        yield f"flower_worker_prefetched_tasks{_labels(cluster, worker, task)} {tasks}\n"


def _pairs(snapshot: Snapshot, kind: str) -> Iterator[tuple[str, str, str]]:
    """Where such an event was ever seen: a task that nobody waits for any more is told, as nothing."""
    for of in snapshot.events:
        for task, found in zip(of.tasks, of.types, strict=True):
            if found == kind:
                yield of.cluster, of.worker, task


def _labels(cluster: str, worker: str, task: str) -> str:
    return f'{{cluster="{label(cluster)}",task="{label(task)}",worker="{label(worker)}"}}'


def _online(of: WorkerState) -> str:
    return f'flower_worker_online{{cluster="{label(of.cluster)}",worker="{label(of.hostname)}"}} {int(of.online)}\n'


def _executing(of: WorkerState) -> str:
    """One that is gone executes nothing, whatever it said last."""
    executing = (of.executing or 0) if of.online else 0
    labels = f'{{cluster="{label(of.cluster)}",worker="{label(of.hostname)}"}}'
    return f"flower_worker_number_of_currently_executing_tasks{labels} {executing}\n"
