"""Workers as the fleet table shows them; what only inspection tells is read out of their last answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec

from flower_store.records import WorkerRecord

T = TypeVar("T")


class _Queue(msgspec.Struct):
    name: str


class _Pool(msgspec.Struct):
    implementation: str = ""
    max_concurrency: int | None = msgspec.field(default=None, name="max-concurrency")
    processes: object = None
    """A list of process ids where the pool has processes; it follows their number, which `max-concurrency` does not."""


class _Stats(msgspec.Struct):
    pool: _Pool = msgspec.field(default_factory=_Pool)


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One worker. None is what neither a heartbeat nor an answer has told."""

    anchor: int
    """An id for the row's element."""
    hostname: str
    online: bool
    heartbeat_at: datetime | None
    seen_at: datetime | None
    pid: int | None
    pool: str | None
    processes: int | None
    active: int | None
    processed: int | None
    load: Sequence[float]
    software: str
    queues: Sequence[str] | None


def row(worker: WorkerRecord) -> FleetRow:
    """The row of one worker."""
    stats = _read(worker.replies, "stats", _Stats)
    pool = stats.pool if stats else _Pool()
    queues = _read(worker.replies, "active_queues", list[_Queue])
    return FleetRow(
        anchor=worker.id,
        hostname=worker.hostname,
        online=worker.online,
        heartbeat_at=worker.heartbeat_at,
        seen_at=worker.seen_at,
        pid=worker.pid,
        # "celery.concurrency.prefork:TaskPool" is the prefork pool to everybody.
        pool=pool.implementation.partition(":")[0].rpartition(".")[2] or None,
        processes=len(pool.processes) if isinstance(pool.processes, list) else pool.max_concurrency,
        active=worker.active if worker.online else None,
        processed=worker.processed,
        load=worker.loadavg if worker.online else (),
        software=" ".join(filter(None, (worker.sw_ident, worker.sw_ver))),
        queues=None if queues is None else sorted(queue.name for queue in queues),
    )


def fleet(workers: Sequence[WorkerRecord]) -> Sequence[FleetRow]:
    """Every worker: those that are up first, each group by name."""
    return sorted(map(row, workers), key=lambda each: (not each.online, each.hostname))


def _read(replies: Mapping[str, object], method: str, kind: type[T]) -> T | None:
    """One answer in the form that Celery documents; a worker that answers otherwise has told nothing."""
    try:
        return msgspec.convert(replies[method], kind)
    except (KeyError, msgspec.ValidationError):
        return None
