"""The registers of a task: which event writes which columns, and which of two events wins.

A task row is a pure function of the set of its events. Each register keeps the event with the largest key; a key is
(event time, clock, digest of the event's bytes), and for `sent` and `received` the number of retries stands before
it. The largest of a total order is commutative, associative and idempotent, so any order, repetition, batching and
number of collectors ends in the same row (`docs/architecture.md`, "The merge rule").
"""

from collections.abc import Mapping
from dataclasses import dataclass

KEY = ("at", "clock", "digest")


@dataclass(frozen=True, slots=True)
class Register:
    """One register: columns `<name>_at`, `<name>_clock`, `<name>_digest`, and its payload columns."""

    name: str
    payload: tuple[str, ...]
    by_retries: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """The key's columns, in the order in which they are compared."""
        head = (f"{self.name}_retries",) if self.by_retries else ()
        return head + tuple(f"{self.name}_{part}" for part in KEY)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that this register owns."""
        return self.key + self.payload


SENT = Register("sent", ("queue_id", "exchange", "routing_key", "client"), by_retries=True)
RECEIVED = Register("received", ("received_worker_id",), by_retries=True)
STARTED = Register("started", ("started_worker_id", "started_pid"))
YIELDED = Register(
    "yielded",
    ("yielded_worker_id", "yielded_pid", "yielded_type", "yielded_exception", "yielded_traceback"),
)
SUCCEEDED = Register("succeeded", ("succeeded_worker_id", "result", "runtime"))
FAILED = Register("failed", ("failed_worker_id", "exception", "traceback", "failed_group_id"))
REVOKED = Register("revoked", ("revoked_worker_id", "terminated", "expired", "signum"))
REJECTED = Register("rejected", ("rejected_worker_id",))
CUSTOM = Register("custom", ("custom_worker_id", "custom_type", "custom_fields"))

ALL = (SENT, RECEIVED, STARTED, YIELDED, SUCCEEDED, FAILED, REVOKED, REJECTED, CUSTOM)

DESCRIPTION = (
    "name_id", "args", "kwargs", "eta", "expires", "due_at", "root_key", "root_text", "parent_key", "parent_text",
)  # fmt: skip
"""What a task is. It follows the winner of `received`, or of `sent` while nothing was received."""


def register_of(event_type: str, fields: Mapping[str, object]) -> Register:
    """The register that an event writes. Types nobody knows go to `custom` and change no state."""
    register = _BY_TYPE.get(event_type, CUSTOM)
    return YIELDED if register is REJECTED and fields.get("requeue") else register


_BY_TYPE = {
    "task-sent": SENT,
    "task-received": RECEIVED,
    "task-started": STARTED,
    "task-retried": YIELDED,
    "task-cancelled": YIELDED,
    "task-succeeded": SUCCEEDED,
    "task-failed": FAILED,
    "task-revoked": REVOKED,
    "task-rejected": REJECTED,
}
