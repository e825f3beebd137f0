"""The way from the buffer to the store: one thread opens messages, three write what was in them."""

import threading
from collections.abc import Callable
from datetime import timedelta

from flower_collector import redaction
from flower_collector.batcher import Batcher
from flower_collector.buffer import Buffer
from flower_collector.handover import Handover
from flower_collector.pump import Pump
from flower_collector.shared import Shared
from flower_collector.writer import BatchWriter, Totals
from flower_collector.writing import Writing
from flower_store import errors

WRITERS = 3
"""They wait for the database, and for each other: neighbouring batches share tasks. One more costs 8 MB (ADR 22)."""


class Pipeline:
    """Its threads; `totals` counts what they did."""

    def __init__(self, shared: Shared, buffer: Buffer, *, failed: Callable[[errors.StoreError], None]) -> None:
        """`failed` is told why it ended before its time."""
        settings = shared.settings
        self._clock = shared.clock
        self._give_up = threading.Event()
        handover = Handover()
        self.totals = Totals()
        opening = Pump(
            buffer,
            Batcher(size=settings.batch_size, flush_after=settings.flush_after, clock=shared.clock),
            handover,
            totals=self.totals,
            metrics=shared.metrics,
            arrivals=shared.arrivals,
            echoes=shared.echoes,
            redaction=redaction.of(settings),
        )
        writing = [
            Writing(
                handover,
                self._writer(shared),
                name=f"flower-writer-{number}",
                stopping=lambda: buffer.closed,
                failed=failed,
            )
            for number in range(1, WRITERS + 1)
        ]
        self.threads: tuple[threading.Thread, ...] = (opening, *writing)

    def drain(self, deadline: float) -> None:
        """Wait until all is written that was received, and no longer than until then; the rest is given up."""
        for thread in self.threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - self._clock()))
        self._give_up.set()

    def join(self, patience: timedelta) -> None:
        """Wait for each thread's end, this long at most."""
        for thread in self.threads:
            if thread.is_alive():
                thread.join(patience.total_seconds())

    def _writer(self, shared: Shared) -> BatchWriter:
        return BatchWriter(
            shared.writer(),
            totals=self.totals,
            database=shared.events,
            metrics=shared.metrics,
            backoff=shared.backoff(),
            give_up=self._give_up,
            overflowing=shared.crowding.note,
        )
