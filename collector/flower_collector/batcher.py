"""Opened messages gathered into batches: by number, by bytes or by age. Single-threaded; the clock is passed in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from flower_collector.gate import Opened
from flower_collector.message import Message, Origin
from flower_store import fold
from flower_store.events import SetAside, TaskEvent, WorkerEvent
from flower_store.fold import Folded
from flower_store.writes import SET_ASIDE_BODY

MAX_BYTES = 5 * 1024**2 // 2
"""Bytes of bodies in one batch, of which five may be in memory. Decoded and as rows they take a few times as much;
ordinary batches have one or two MB."""

MAX_ASIDE = 200
"""Records of set-aside input stored by one batch; a flood of garbage is counted whole and kept in part."""

MAX_ASIDE_BYTES = 1024**2
"""Bytes of their bodies, as they are stored: the table is trimmed every few seconds only."""


@dataclass(slots=True)
class Batch:
    """What is written in one transaction, and whom to tell afterwards. `committed` is None until that is settled."""

    tasks: list[TaskEvent] = field(default_factory=list)
    workers: list[WorkerEvent] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    receipts: dict[Origin, int] = field(default_factory=dict)
    folded: Mapping[str, Folded] | None = None
    committed: bool | None = None
    messages: int = 0
    bytes: int = 0
    aside_bytes: int = 0

    @property
    def waits(self) -> bool:
        """Whether any of it must still be written by this process."""
        return any(origin.waits for origin in self.receipts)

    def fold(self) -> None:
        """Fold its tasks' events, so that no writing thread need."""
        self.folded = fold.fold(self.tasks)

    def done(self) -> None:
        """Send the receipts: the batch is committed, and all that came before it."""
        for origin, tag in self.receipts.items():
            origin.done(tag)


class Batcher:
    """A message is never split, so a batch may pass `size` by the events of one message."""

    def __init__(self, *, size: int, flush_after: timedelta, clock: Callable[[], float]) -> None:
        self._size = size
        self._flush_after = flush_after.total_seconds()
        self._clock = clock
        self._batch = Batch()
        self._begun_at = 0.0

    def add(self, message: Message, opened: Opened) -> None:
        """Take one message's events. Tags of one origin must come in rising order."""
        batch = self._batch
        if not batch.messages:
            self._begun_at = self._clock()
        batch.messages += 1
        batch.bytes += len(message.body)
        batch.tasks += opened.tasks
        batch.workers += opened.workers
        self._keep_aside(opened.aside)
        batch.receipts[message.origin] = message.tag

    @property
    def due(self) -> bool:
        """Whether the batch should be written now."""
        return self._full or self.remaining() == 0

    def remaining(self) -> float | None:
        """Seconds until the batch is due by age; None while it is empty."""
        if not self._batch.messages:
            return None
        return max(0.0, self._begun_at + self._flush_after - self._clock())

    def take(self) -> Batch | None:
        """The batch, or None when it is empty; a new one begins."""
        if not self._batch.messages:
            return None
        batch, self._batch = self._batch, Batch()
        return batch

    def _keep_aside(self, aside: Sequence[SetAside]) -> None:
        batch = self._batch
        for one in aside:
            if len(batch.aside) >= MAX_ASIDE or batch.aside_bytes >= MAX_ASIDE_BYTES:
                return
            # Cut as it will be stored: the whole message, of up to 16 MB, would else live as long as its batch.
            batch.aside.append(msgspec.structs.replace(one, body=one.body[:SET_ASIDE_BODY]))
            batch.aside_bytes += min(len(one.body), SET_ASIDE_BODY)

    @property
    def _full(self) -> bool:
        batch = self._batch
        return (
            len(batch.tasks) + len(batch.workers) >= self._size
            or batch.messages >= self._size
            or batch.bytes >= MAX_BYTES
        )
