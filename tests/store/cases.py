"""What each history must end as: the specification of the merge rule by example.

A step is (event, second) with what else matters. The cases are those that were tried on real brokers; the order in a
case is the true one, the tests deliver it in every other.
"""

from dataclasses import dataclass, field

from flower_store.events import TaskEvent
from flower_store.factories import an_event


@dataclass(frozen=True, slots=True)
class Step:
    kind: str
    second: float
    worker: str = "celery@w1"
    pid: int = 1
    fields: dict[str, object] = field(default_factory=dict[str, object])

    def event(self, task_id: str) -> TaskEvent:
        return an_event(
            self.kind, self.second, task_id=task_id, worker=self.worker, pid=self.pid, clock=int(self.second * 10),
            **self.fields,
        )  # fmt: skip


def sent(second: float, *, retries: int = 0) -> Step:
    return Step("sent", second, worker="gen1@client", fields={"name": "app.t", "queue": "q", "retries": retries})


def received(second: float, *, retries: int = 0, worker: str = "celery@w1") -> Step:
    return Step(
        "received", second, worker=worker, fields={"name": "app.t", "args": f"({retries},)", "retries": retries}
    )


def step(kind: str, second: float, worker: str = "celery@w1", **fields: object) -> Step:
    return Step(kind, second, worker=worker, fields=fields)


W2 = "celery@w2"

CASES: dict[str, tuple[str, list[Step]]] = {
    "plain success": ("SUCCESS", [sent(0), received(1), step("started", 2), step("succeeded", 3)]),
    "plain failure": ("FAILURE", [sent(0), received(1), step("started", 2), step("failed", 3)]),
    "sent only": ("PENDING", [sent(0)]),
    "received": ("RECEIVED", [sent(0), received(1)]),
    "running": ("STARTED", [sent(0), received(1), step("started", 2)]),
    "retry, then success": (
        "SUCCESS",
        [received(1), step("started", 2), step("retried", 3), received(2.9, retries=1), step("started", 4),
         step("succeeded", 5)],
    ),
    "waiting for a retry that is already received": (
        "RETRY",
        [received(1), step("started", 2), received(2.9, retries=1), step("retried", 3)],
    ),
    "waiting for a retry, received after retried": (
        "RETRY",
        [received(1), step("started", 2), step("retried", 3), received(3.1, retries=1)],
    ),
    "second attempt running": (
        "STARTED",
        [received(1), step("started", 2), step("retried", 3), received(2.9, retries=1), step("started", 4)],
    ),
    "second attempt running elsewhere, retried later": (
        "STARTED",
        [received(1), step("started", 2), received(2.5, retries=1, worker=W2), step("started", 2.8, W2),
         step("retried", 3)],
    ),
    "retry, then failure": (
        "FAILURE",
        [received(1), step("started", 2), step("retried", 3), received(3.1, retries=1), step("started", 4),
         step("failed", 5)],
    ),
    "retries exhausted": (
        "FAILURE",
        [received(1), step("started", 2), step("retried", 3), received(3.1, retries=1), step("started", 4),
         step("retried", 5), received(5.1, retries=2), step("started", 6), step("failed", 7)],
    ),
    "revoked before start": ("REVOKED", [sent(0), received(1), step("revoked", 2)]),
    "terminated": ("REVOKED", [received(1), step("started", 2), step("revoked", 3, terminated=True)]),
    "expired, never received": ("REVOKED", [sent(0), step("revoked", 9, expired=True)]),
    "acks late, worker dies, success elsewhere": (
        "SUCCESS",
        [received(1), step("started", 2), received(9, worker=W2), step("started", 10, W2), step("succeeded", 11, W2)],
    ),
    "acks late, worker dies, running elsewhere": (
        "STARTED",
        [received(1), step("started", 2), received(9, worker=W2), step("started", 10, W2)],
    ),
    "acks late, worker dies, failed elsewhere": (
        "FAILURE",
        [received(1), step("started", 2), received(9, worker=W2), step("started", 10, W2), step("failed", 11, W2)],
    ),
    "two runs, both succeed": (
        "SUCCESS",
        [received(1), step("started", 2), received(3, worker=W2), step("started", 4, W2), step("succeeded", 5),
         step("succeeded", 6, W2)],
    ),
    "success, then a late redelivery runs": (
        "SUCCESS",
        [received(1), step("started", 2), step("succeeded", 3), received(9, worker=W2), step("started", 10, W2)],
    ),
    "worker lost, requeued, rerun": (
        "SUCCESS",
        [received(1), step("started", 2), step("rejected", 3, requeue=True), received(4), step("started", 5),
         step("succeeded", 6)],
    ),
    "requeued, received again, waiting": (
        "RECEIVED",
        [received(1), step("started", 2), step("rejected", 3, requeue=True), received(4)],
    ),
    "requeued, not received again": (
        "REJECTED",
        [received(1), step("started", 2), step("rejected", 3, requeue=True)],
    ),
    "refused, as Celery 5.7 tells it": (
        "FAILURE",
        [received(1), step("started", 2), step("failed", 3), step("rejected", 3.1, requeue=False)],
    ),
    "refused, before 5.7": ("REJECTED", [received(1), step("started", 2), step("rejected", 3, requeue=False)]),
    "hard time limit: two failures": (
        "FAILURE",
        [received(1), step("started", 2), step("failed", 3), step("failed", 3.2)],
    ),
    "sent comes last by a clock that is ahead": (
        "SUCCESS",
        [received(1), step("started", 2), step("succeeded", 3), sent(8)],
    ),
    "sent by a clock an hour behind": ("STARTED", [sent(-3600), received(1), step("started", 2)]),
    "retry on a worker whose clock is behind": (
        "SUCCESS",
        [received(10), step("started", 11), step("retried", 12), received(7, retries=1, worker=W2),
         step("started", 8, W2), step("succeeded", 9, W2)],
    ),
    "a custom event in between": ("STARTED", [received(1), step("started", 2), step("progress", 3, pct=50)]),
    "a custom event alone": ("UNKNOWN", [step("progress", 3, pct=50)]),
    "only the end arrived": ("SUCCESS", [step("succeeded", 3)]),
    "failed, then sent again under the same id": (
        "STARTED",
        [received(1), step("started", 2), step("failed", 3), received(9), step("started", 10)],
    ),
    "retried and failed, then sent again, waiting": (
        "RECEIVED",
        [received(1), step("started", 2), step("retried", 3), received(3.5, retries=1), step("started", 4),
         step("failed", 5), received(9, retries=1)],
    ),
    "cancelled when the connection was lost": (
        "RECEIVED",
        [received(1), step("started", 2), step("cancelled", 3), received(4)],
    ),
}  # fmt: skip
