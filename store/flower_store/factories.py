"""Events for tests, with only the fields that matter to the test.

Times are seconds after NOON, so that a test reads like a story: `an_event("started", 2)`.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from flower_store import ids, moments
from flower_store.events import TaskEvent, WorkerEvent

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def an_event(
    kind: str,
    second: float = 0,
    *,
    task_id: str = "00000000-0000-4000-8000-000000000001",
    worker: str = "celery@a",
    pid: int = 1,
    clock: int = 0,
    **fields: object,
) -> TaskEvent:
    """The event `task-<kind>`, that many seconds after NOON."""
    at = NOON + timedelta(seconds=second)
    # Without the id: two tasks with the same history then have the same row, and can be compared.
    body = msgspec.json.encode([kind, worker, pid, clock, at, fields])
    digest = int.from_bytes(hashlib.blake2b(body, digest_size=4).digest(), "big", signed=True)
    return TaskEvent(
        type=f"task-{kind}", task_id=task_id, hostname=worker, pid=pid, micros=moments.micros(at), clock=clock,
        digest=digest, received=moments.micros(at), fields=fields,
    )  # fmt: skip


def a_heartbeat(
    second: float = 0,
    *,
    worker: str = "celery@a",
    kind: str = "heartbeat",
    pid: int = 1,
    clock: int = 0,
    freq: float = 2.0,
    active: int = 0,
    processed: int = 0,
    received_at: datetime | None = None,
) -> WorkerEvent:
    """The event `worker-<kind>`, that many seconds after NOON; received at once unless it is said when."""
    at = NOON + timedelta(seconds=second)
    return WorkerEvent(
        type=f"worker-{kind}", hostname=worker, pid=pid, at=at, clock=clock, received_at=received_at or at, freq=freq,
        active=active, processed=processed, loadavg=(0.5, 0.25, 0.125), sw_ident="py-celery", sw_ver="5.7.0",
        sw_sys="Linux", utcoffset=0.0,
    )  # fmt: skip


def a_success(task_id: str, second: float = 0, *, name: str = "app.add", runtime: float = 1.0) -> list[TaskEvent]:
    """A task's whole life: sent, received a second later, started two later, succeeded three later."""
    return [
        an_event("sent", second, task_id=task_id, worker="gen1@client", name=name, queue="celery", args="(1, 2)",
                 kwargs="{}", retries=0, root_id=task_id, exchange="", routing_key="celery"),
        an_event("received", second + 1, task_id=task_id, name=name, args="(1, 2)", kwargs="{}", retries=0,
                 root_id=task_id),
        an_event("started", second + 2, task_id=task_id),
        an_event("succeeded", second + 3, task_id=task_id, result="3", runtime=runtime),
    ]  # fmt: skip


def uuid_of(word: str) -> UUID:
    """A UUID that is the same for the same word."""
    return ids.task_key(word)
