"""Events as they cross the store's door: decoded, bounded and typed by the collector's gate.

The field names are Celery's (its monitoring guide, "Event Reference"). Bounds on names are here because they are
the tables' bounds: a longer text would not fit into an index.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from flower_store import moments

MAX_TASK_ID = 1024
"""Characters. Celery's own ids have 36; a longer one than this is nobody's id."""

MAX_NAME = 512
"""Characters of a task name, a host name, a queue, an event type."""


class TaskEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One `task-*` event.

    `micros` is the event's own time (the sender's clock; `utcoffset` is never applied), `received` the collector's,
    both in microseconds since the Unix epoch. `clock` is the sender's Lamport clock, 0 where it has none. `digest` is
    a signed 32-bit hash of the event's bytes: the same event delivered twice has the same one. `fields` holds
    everything else that the event carries, as JSON values.
    """

    type: str
    task_id: str
    hostname: str
    pid: int
    micros: int
    clock: int
    digest: int
    received: int
    fields: Mapping[str, object]

    @property
    def at(self) -> datetime:
        """Its own time."""
        return moments.moment(self.micros)

    @property
    def received_at(self) -> datetime:
        """When a collector received it."""
        return moments.moment(self.received)


class WorkerEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One `worker-online`, `worker-heartbeat` or `worker-offline` event."""

    type: str
    hostname: str
    pid: int
    at: datetime
    clock: int
    received_at: datetime
    freq: float | None = None
    active: int | None = None
    processed: int | None = None
    loadavg: tuple[float, ...] = ()
    sw_ident: str | None = None
    sw_ver: str | None = None
    sw_sys: str | None = None
    utcoffset: float | None = None


class SetAside(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message, or one event of a message, that could not be taken as it was, with its reason.

    `reason` is one of a bounded set of words (it labels a metric), `detail` a sentence for a person.
    """

    received_at: datetime
    reason: str
    detail: str
    routing_key: str
    content_type: str
    body: bytes


Event = TaskEvent | WorkerEvent
