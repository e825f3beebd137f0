"""The opening thread: takes messages from the buffer, opens them, and gives them on in batches.

It alone touches the batcher. It ends when the buffer is closed and empty, or nobody takes batches any more.
"""

import threading
from collections.abc import Sequence

import structlog

from flower_collector import gate
from flower_collector.arrivals import Arrivals
from flower_collector.batcher import Batcher
from flower_collector.buffer import Buffer
from flower_collector.gate import Opened
from flower_collector.handover import Handover
from flower_collector.message import Message
from flower_collector.metrics import Metrics
from flower_collector.probe import Echoes
from flower_collector.redaction import Redaction
from flower_collector.writer import Totals
from flower_store.events import SetAside
from flower_store.reasons import Reason

log = structlog.get_logger()

GATE_DEFECT = "gate defect"
FOLD_DEFECT = "fold defect"
OPENING_ENDED = "opening ended"


class Pump(threading.Thread):
    """`aside` counts what it has set aside since the start."""

    def __init__(
        self,
        buffer: Buffer,
        batcher: Batcher,
        handover: Handover,
        *,
        totals: Totals,
        metrics: Metrics,
        arrivals: Arrivals,
        echoes: Echoes,
        redaction: Redaction | None = None,
    ) -> None:
        super().__init__(name="flower-opener", daemon=True)
        self._buffer = buffer
        self._batcher = batcher
        self._handover = handover
        self._totals = totals
        self._metrics = metrics
        self._arrivals = arrivals
        self._echoes = echoes
        self._redaction = redaction

    def run(self) -> None:
        """Work until the buffer is drained."""
        try:
            self._work()
        finally:
            self._handover.close()
            log.info(OPENING_ENDED, left_in_memory=len(self._buffer))

    def _work(self) -> None:
        while True:
            message = self._buffer.take(self._batcher.remaining())
            if message is not None:
                self._batcher.add(message, self._opened(message))
            elif self._buffer.drained:
                break
            if self._batcher.due and not self._flush():
                return
        self._flush()

    def _flush(self) -> bool:
        """Give the batch on; False when nobody takes it."""
        batch = self._batcher.take()
        if batch is None:
            return True
        self._metrics.events.labels("task").inc(len(batch.tasks))
        self._metrics.events.labels("worker").inc(len(batch.workers))
        try:
            batch.fold()
        except Exception:  # a writing thread meets it again, and sets aside the event that is to blame
            log.exception(FOLD_DEFECT)
        return self._handover.give(batch)

    def _opened(self, message: Message) -> Opened:
        try:
            opened = gate.open_message(message)
        except Exception:  # whatever a stranger's bytes do to us, the next message is read
            log.exception(GATE_DEFECT)
            aside = gate.set_aside(message, message.body, Reason.DEFECT, "the gate failed on it: see the log")
            opened = Opened(aside=[aside])
        if self._redaction is not None:
            self._redaction.apply(opened)
        self._count_oddities(opened)
        self._arrivals.note(opened.workers)
        for echo in opened.echoes:
            self._echoes.heard(echo)
        return opened

    def _count_oddities(self, opened: Opened) -> None:
        """What few messages hold; what all hold is counted once a batch (`_flush`)."""
        if opened.not_kept:
            self._metrics.events.labels("not_kept").inc(opened.not_kept)
        if opened.clocks_clamped:
            self._metrics.clocks_clamped.inc(opened.clocks_clamped)
        for echo in opened.echoes:
            self._metrics.probe_seconds.observe(echo.delay.total_seconds())
        if opened.aside:
            self._count_aside(opened.aside)

    def _count_aside(self, aside: Sequence[SetAside]) -> None:
        self._totals.aside += len(aside)
        for reason, number in gate.counted(aside).items():
            self._metrics.aside.labels(reason).inc(number)
