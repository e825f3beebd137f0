"""Events as a collector writes them, with only what matters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from flower_store import moments
from flower_store.events import TaskEvent, WorkerEvent
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WORKER = "celery@one"


def an_event(
    kind: str, task_id: str = "t", second: float = 0, *, hostname: str = WORKER, **fields: object
) -> TaskEvent:
    return TaskEvent(
        type=f"task-{kind}",
        task_id=task_id,
        hostname=hostname,
        pid=7,
        micros=moments.micros(START + timedelta(seconds=second)),
        clock=int(second) + 1,
        digest=hash((kind, task_id, second, hostname)) % 2**31,
        received=moments.micros(START),
        fields=fields,
    )


def a_run(task_id: str, name: str, second: float = 0, *, hostname: str = WORKER) -> list[TaskEvent]:
    """A task that was received, started and succeeded within three seconds."""
    return [
        an_event("received", task_id, second, hostname=hostname, name=name, args="(1,)", kwargs="{}"),
        an_event("started", task_id, second + 1, hostname=hostname),
        an_event("succeeded", task_id, second + 2, hostname=hostname, result="'done'", runtime=1.0),
    ]


def a_heartbeat(hostname: str = WORKER, *, at: datetime = START) -> WorkerEvent:
    return WorkerEvent(type="worker-heartbeat", hostname=hostname, pid=7, at=at, clock=1, received_at=at, freq=2.0)


def into(store: StoreSettings, cluster: str, events: Sequence[TaskEvent]) -> None:
    """Write them as a cluster of their own."""
    writer = Writer(store, cluster=cluster)
    writer.connect()
    writer.ensure_partitions(START)
    writer.write(events)
    writer.close()
