"""A writing thread: takes batches and writes each until it is committed, given back, or time is up.

It alone touches its batch writer, and with it a database connection for events.
"""

import threading
from collections.abc import Callable

import structlog

from flower_collector.handover import Handover
from flower_collector.writer import BatchWriter
from flower_store import errors

log = structlog.get_logger()

WRITING_ENDED = "writing ended"


class Writing(threading.Thread):
    """`failed` is told why it ended before its time: the database's schema is another one than this build's."""

    def __init__(
        self,
        handover: Handover,
        writer: BatchWriter,
        *,
        name: str,
        stopping: Callable[[], bool],
        failed: Callable[[errors.StoreError], None],
    ) -> None:
        """`stopping` tells whether nothing more is received: then an outage is not waited for with empty hands."""
        super().__init__(name=name, daemon=True)
        self._handover = handover
        self._writer = writer
        self._stopping = stopping
        self._failed = failed

    def run(self) -> None:
        """Work until the last batch."""
        try:
            if self._writer.prepare(lambda: not self._handover.drained):
                self._work()
        except errors.StoreError as error:
            self._failed(error)
        finally:
            self._handover.refuse()
            self._writer.close()
            log.info(WRITING_ENDED, stored=self._writer.totals.stored)

    def _work(self) -> None:
        while (batch := self._handover.take()) is not None:
            if self._writer.write(batch):
                self._handover.settle(batch, committed=True)
            elif batch.waits:
                return
            else:
                self._handover.settle(batch, committed=False)
                if not self._writer.probe(lambda: not self._stopping()):
                    return
