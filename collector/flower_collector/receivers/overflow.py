"""What RabbitMQ drops of the queue for events, counted: at its bounds, or for its age.

The broker keeps no such count. So the queue sends what it drops to a small queue beside it, which is read here and
thrown away once the gap is committed; one collector at a time reads it. That queue has bounds, too: where they may have
been reached the count says "at least".
"""

import time
from collections.abc import Callable
from datetime import datetime

import structlog
from amqp import exceptions

from flower_collector import driver, gaps
from flower_collector.receivers.drops import Batch

log = structlog.get_logger()

NOT_COUNTED = "what the broker drops is not counted"
BOUNDS_FOUND = "queue for what is dropped found with other arguments"

KEPT = 50_000
"""Messages of which the count is exact while every collector is away; at most KEPT_BYTES of them."""

KEPT_BYTES = 256 * 1024**2
"""An eighth of what the event queue itself may hold unless it is told otherwise."""

LARGEST = 16 * 1024**2
"""Bytes of the largest message of RabbitMQ 4. With less than that left to its bound, a queue may have been full."""

PREFETCH = 65_535
"""As many as AMQP can say: nothing is acknowledged before its gap is committed, and all that is KEPT is one gap."""

DELIVERY_LIMIT = 1_000_000
"""As of the event queue: RabbitMQ 4 drops what came back 20 times, and what is not counted yet may come back."""

QUIET = 1.0
"""Seconds without a drop after which an overflow counts as over, and is recorded."""

LONGEST = 10.0
"""Seconds after which one that goes on is recorded as far as it has come."""

SLOWEST = 60.0
"""The same where the rest is known to be on its way: what waited, or what came before and comes again."""


def queue_name(queue: str) -> str:
    """The name of the queue for what `queue` drops."""
    return f"{queue}.dropped"


def arguments(queue: str) -> dict[str, object]:
    """The arguments with which `queue` sends there what it drops."""
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue_name(queue)}


class Overflow:
    """Lives as long as one connection. Counting is a service to people: where it is refused, collecting goes on.

    One batch at a time waits for its gaps to be committed. What was not acknowledged comes again, in the same order, to
    whoever reads next: its gaps then begin with the same messages, by which the store knows them.
    """

    def __init__(
        self,
        queue: str,
        noted: gaps.Gaps,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = queue_name(queue)
        self._queue = queue
        self._noted = noted
        self._now = now
        self._clock = clock
        self._channel: driver.AmqpChannel | None = None
        self._bounds_known = True
        self._waited = self._read = 0
        self._batch = Batch()
        self._noted_batch: Batch | None = None
        self._brimmed = False

    def open_found(self, connection: driver.Connection) -> bool:
        """As `open`, but nothing is made: without an event queue that drops into it there would be nothing to read."""
        try:
            with connection.channel() as channel:
                channel.queue_declare(queue=self._name, passive=True)
        except connection.channel_errors as error:
            log.warning(NOT_COUNTED, queue=self._queue, refusal=str(error))
            return False
        return self.open(connection)

    def open(self, connection: driver.Connection) -> bool:
        """Declare the queue and begin to read it; whether that was granted."""
        try:
            self._waited = self._declare(connection)
            channel = connection.channel()
            channel.auto_decode = False
            channel.basic_qos(0, PREFETCH, False)
            channel.basic_consume(self._name, callback=self._take)
        except connection.channel_errors as error:
            log.warning(NOT_COUNTED, queue=self._queue, refusal=str(error))
            return False
        self._channel = channel
        return True

    def settle(self, *, at_last: bool = False) -> None:
        """Record an overflow that is over, or has gone on for long, or `at_last` whatever there is; and acknowledge
        what is committed."""
        if self._channel is None:
            return
        noted = self._noted_batch
        if noted is not None and noted.is_recorded:
            self._channel.basic_ack(noted.tag, multiple=True)
            noted = self._noted_batch = None
        if noted is None and self._batch.messages and (at_last or self._is_due()):
            self._note()

    def close(self) -> None:
        """Give back what is not acknowledged: it is another collector's to count."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _note(self) -> None:
        batch, self._batch = self._batch, Batch()
        if self._was_bounded(batch):
            batch.at_least = True
        for gap in batch.gaps(f"queue {self._queue}", self._now()):
            self._noted.note(gap)
        self._noted_batch = batch

    def _is_due(self) -> bool:
        batch, moment = self._batch, self._clock()
        lasted = moment - batch.begun_at
        if self._unacknowledged >= PREFETCH or lasted >= SLOWEST:
            return True
        if self._read < self._waited:
            return False
        return moment - batch.grown_at >= QUIET or (lasted >= LONGEST and not batch.redelivered)

    def _was_bounded(self, batch: Batch) -> bool:
        """Whether the queue may have dropped something before what it still held."""
        if batch.waited and (not self._bounds_known or self._waited >= KEPT):
            return True
        size = batch.size * max(1, self._waited / max(1, self._read))  # of all that waited, as far as it is read
        return batch.messages >= KEPT or size > KEPT_BYTES - LARGEST

    @property
    def _unacknowledged(self) -> int:
        return self._batch.messages + (self._noted_batch.messages if self._noted_batch else 0)

    def _declare(self, connection: driver.Connection) -> int:
        """Messages that wait there."""
        try:
            with connection.channel() as channel:
                declared = channel.queue_declare(
                    queue=self._name,
                    durable=True,
                    exclusive=False,
                    auto_delete=False,
                    arguments={
                        "x-queue-type": "quorum",
                        "x-single-active-consumer": True,
                        "x-delivery-limit": DELIVERY_LIMIT,
                        "x-max-length": KEPT,
                        "x-max-length-bytes": KEPT_BYTES,
                        "x-overflow": "drop-head",
                    },
                )
        except exceptions.PreconditionFailed as error:
            log.info(BOUNDS_FOUND, queue=self._name, refusal=str(error))
            self._bounds_known = False
            with connection.channel() as channel:
                declared = channel.queue_declare(queue=self._name, passive=True)
        return _waiting(declared)

    def _take(self, delivery: driver.Delivery) -> None:
        batch = self._batch
        if self._brimmed:
            batch.at_least = True  # there was no room for more until now, and the queue may have been full meanwhile
        batch.add(delivery, self._clock(), latest=self._now().timestamp())
        batch.waited = batch.waited or self._read < self._waited
        self._read += 1
        self._brimmed = self._unacknowledged >= PREFETCH


def _waiting(declared: object) -> int:
    count = getattr(declared, "message_count", 0)
    return count if isinstance(count, int) else 0
