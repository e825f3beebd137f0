"""What `/metrics` tells of the store at one moment, as `reads/metrics.py` found it.

Where a worker's or a task's name is `dimensions.OVERFLOW`, the row is of all that are not told apart; an empty worker
is the clients, an empty task one whose name no event told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker that ever gave a sign of life. `executing` is what its last heartbeat said, None where none did."""

    cluster: str
    hostname: str
    online: bool
    executing: int | None


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Events of one worker over all time: a task, a type and a count in each place of the three."""

    cluster: str
    worker: str
    tasks: Sequence[str]
    types: Sequence[str]
    counts: Sequence[int]


@dataclass(frozen=True, slots=True)
class Runtimes:
    """Run times of one task at one worker over all time: how many by slot (`histograms.py`), and their sum."""

    cluster: str
    worker: str
    task: str
    counts: Mapping[int, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Prefetch:
    """Tasks of a worker that lives: how many it holds and has not started; how long the one that it started last, and
    still runs, had waited for that, in seconds. Those with an ETA wait on purpose and do not count."""

    tasks: int
    seconds: float


@dataclass(frozen=True, slots=True)
class QueueTimes:
    """Run times or waits of one task by queue over all time, as `Runtimes` has them."""

    cluster: str
    queue: str
    task: str
    measure: int
    counts: Mapping[int, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a cluster, and of what within it."""

    cluster: str
    of: tuple[str, ...]
    value: float


Figures = Mapping[str, Sequence[Figure]]
"""By what they count: a name of `reads/metric_figures.py`."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it. `prefetch` is by cluster, worker and task; what is absent there is nothing."""

    workers: Sequence[WorkerState]
    events: Sequence[EventCounts]
    runtimes: Sequence[Runtimes]
    queues: Sequence[QueueTimes]
    prefetch: Mapping[tuple[str, str, str], Prefetch]
