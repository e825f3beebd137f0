"""The thread between memory and disk: it alone touches the spool, and it never ends because of it."""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from flower_collector import gaps, losing, spool, spools
from flower_collector.backoff import Backoff
from flower_collector.message import Message
from flower_collector.metrics import Metrics
from flower_collector.spool import Spool
from flower_collector.spooled import SpooledBuffer
from flower_store import losses

log = structlog.get_logger()

SPOOL_OPENED = "spool opened"
NO_SPOOL = "no spool"
SPOOLING = "spooling"
SPOOL_READ = "spool read"
SPOOL_FAILED = "spool failed"
SPOOL_WORKS = "spool works again"
SPOOL_CLOSED = "spool closed"

PACE = 0.05
"""Seconds between rounds while messages go by the disk: they go in transactions of what came meanwhile."""

IDLE = 1.0
"""Seconds between looks while they do not."""


class Spooler(threading.Thread):
    """Ends with `finish()`, after what is still in memory was saved."""

    def __init__(
        self,
        found: Spool,
        buffer: SpooledBuffer,
        *,
        size: int,
        noted: gaps.Gaps,
        metrics: Metrics,
        backoff: Backoff,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(name="flower-spooler", daemon=True)
        self._spool: Spool | None = found
        self._path = found.path
        self._size = size
        self._buffer = buffer
        self._noted = noted
        self._metrics = metrics
        self._backoff = backoff
        self._now = now
        self._finishing = threading.Event()
        self._failing = False
        self._busy = bool(found.unread)
        self._forgotten = -1
        self._show()

    def finish(self) -> None:
        """Save what is in memory, and end; the writing threads have ended. May be called twice."""
        self._finishing.set()
        self._buffer.abandon()

    def run(self) -> None:
        """Work until `finish()`."""
        while not self._finishing.is_set():
            active = self._buffer.await_spooling(IDLE)
            self._tell(active)
            if self._round(active):
                self._finishing.wait(PACE if active else 0)
            else:
                self._finishing.wait(self._backoff.failed())
        self._save()

    def _round(self, active: bool) -> bool:
        """Whether the disk did its part."""
        try:
            if active:
                self._refill()  # first: what the disk holds is of use even when it takes nothing more
                self._write()
            self._forget()
            self._show()
        except Exception as error:  # noqa: BLE001 - told in `_failed`; without this thread events would be lost
            self._failed(error)
            return False
        self._works()
        return True

    def _write(self) -> None:
        """Everything that waits for the disk, a transaction a chunk."""
        held = self._opened()
        while chunk := self._buffer.for_disk(held.chunk):
            try:
                held.append(chunk)
            except BaseException:
                self._buffer.put_back(chunk)
                raise
            self._buffer.saved(chunk)
            self._metrics.spooled.inc(len(chunk))

    def _refill(self) -> None:
        held = self._opened()
        while held.unread and (wanted := self._buffer.wanted()):
            self._buffer.refill(held.read(wanted, origin=self._buffer.origin))
        if not held.unread:
            self._buffer.disk_is_empty()

    def _forget(self) -> None:
        committed = self._buffer.committed
        if self._spool is not None and committed > self._forgotten:
            if self._spool.holds:
                self._spool.forget(committed)
            self._forgotten = committed

    def _opened(self) -> Spool:
        """The spool; a new one where the last was moved aside."""
        if self._spool is None:
            self._spool = Spool(self._path, size=self._size)
        return self._spool

    def _failed(self, error: Exception) -> None:
        self._metrics.spool_failures.inc()
        if not self._failing:
            log.error(SPOOL_FAILED, file=str(self._path), error=str(error))
        self._failing = True
        if isinstance(error, spool.Broken) and self._spool is not None:
            self._give_up_file(self._spool, error)
        if self._spool is None or not self._spool.unread:
            self._buffer.disk_is_empty()

    def _give_up_file(self, broken: Spool, error: Exception) -> None:
        lost = broken.unread
        broken.abandon()
        self._spool = None
        with suppress(OSError):
            spools.set_aside(self._path, error)
        self._noted.note(lost_file(self._path, self._now(), f" with {lost} messages"))

    def _works(self) -> None:
        self._backoff.succeeded()
        if self._failing and self._spool is not None:
            self._failing = False
            log.info(SPOOL_WORKS, file=str(self._path))

    def _tell(self, active: bool) -> None:
        if active != self._busy:
            log.info(SPOOLING if active else SPOOL_READ, file=str(self._path))
        self._busy = active

    def _show(self) -> None:
        if self._spool is None:
            return
        self._metrics.spool_messages.set(self._spool.unread)
        self._metrics.spool_bytes.set(self._spool.size)
        loss = self._spool.take_loss()
        if loss is not None:
            self._metrics.spool_dropped.inc(loss.messages)
            self._noted.note(loss.gap(losses.SPOOL_FULL))

    def _save(self) -> None:
        """The last act: what no receipt came for is in the file when the process is gone, and what is lost is told."""
        left = deque(self._buffer.unsaved())
        try:
            held = self._opened()
            held.forget(self._buffer.committed)
            held.begin_anew()
            while left:
                chunk = _chunk(left, held.chunk)
                held.append(chunk)
                for _ in chunk:
                    left.popleft()
            log.info(SPOOL_CLOSED, file=str(self._path), messages=held.rows)
        except (sqlite3.Error, OSError, spool.Broken) as error:
            log.error(SPOOL_FAILED, file=str(self._path), error=str(error), lost=len(left))  # noqa: TRY400 - it says all
            if (loss := losing.of(left)) is not None:
                self._noted.note(loss.gap(losses.SPOOL_FULL))
        if self._spool is not None:
            self._leave_gaps(self._spool)
            self._spool.close()

    def _leave_gaps(self, held: Spool) -> None:
        """To the next start: no beat of ours comes any more that could record them."""
        with suppress(sqlite3.Error, OSError, spool.Broken):
            self._show()
            held.keep(self._noted.take())


def _chunk(left: deque[Message], size: int) -> list[Message]:
    """The first of these, about so many bytes."""
    chunk: list[Message] = []
    for message in left:
        chunk.append(message)
        size -= len(message.body)
        if size <= 0:
            break
    return chunk


def lost_file(path: Path, at: datetime, held: str = "") -> gaps.Gap:
    """The gap of a file that could not be read."""
    return gaps.Gap(None, at, losses.SPOOL_LOST, f"{path.name}{held} was moved aside")
