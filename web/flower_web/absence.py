"""A worker that holds a task and is not there: the task looks healthy, and nobody works on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flower_store.records import WorkerRecord


@dataclass(frozen=True, slots=True)
class Absence:
    """What is known of it, in words; `since` is None where the worker never gave a sign of life."""

    words: str
    since: datetime | None = None


def absence(workers: Sequence[WorkerRecord], hostname: str) -> Absence | None:
    """The absence of this worker; None while it is online."""
    worker = next((each for each in workers if each.hostname == hostname), None)
    if worker is not None and worker.online:
        return None
    if worker is None:
        return Absence("no heartbeat was ever seen of it")
    last = max((at for at in (worker.heartbeat_at, worker.seen_at) if at is not None), default=None)
    if worker.offline_at is not None and worker.offline_at >= (worker.heartbeat_at or worker.offline_at):
        return Absence("worker offline since", worker.offline_at)
    return Absence("no sign of life since", last) if last else Absence("no heartbeat was ever seen of it")
