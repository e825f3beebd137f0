"""RabbitMQ and its like: a queue of our own, messages acknowledged after the commit.

The driver is used directly: kombu would unpack compressed bodies before any check of ours.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from amqp import exceptions

from flower_collector import driver, gaps, promise
from flower_collector.availability import Availability
from flower_collector.message import Message
from flower_collector.receivers.deliveries import Delivered
from flower_collector.receivers.overflow import Overflow
from flower_collector.receivers.queue import EventQueue
from flower_collector.receivers.read_ahead import ReadAhead
from flower_collector.receivers.receiver import Receiver, Surroundings
from flower_collector.receivers.session import Session
from flower_collector.receivers.taming import tame
from flower_store import losses

log = structlog.get_logger()

GIVEN_BACK = "messages given back"
CONSUMING_AGAIN = "database back, consuming again"

POLL = 0.1
"""Seconds that an acknowledgement may wait for while nothing arrives. With two batches of prefetch nobody notices."""

AHEAD_BYTES = 4 * 1024**2
"""Bytes of bodies read ahead of the writer, twice an ordinary batch: what is not read, the broker keeps, and
memory stays within its bound however large messages are."""

HEARTBEAT_EVERY = 1.0
"""Seconds between looks at the connection's heartbeat, which is 30 s (`app.HEARTBEAT`)."""

COUNT_AGAIN_AFTER = 300.0
"""Seconds for which overflow is not counted, once that has ended the connection: RabbitMQ 3.10 that was killed may
leave a quorum queue without a leader, and whoever reads it gets INTERNAL_ERROR. Events come first."""

DRAINED_AT_ONCE = 300
"""Messages read between two looks at everything else."""


class AmqpReceiver(Receiver):
    """Consumes while the database answers. `prefetch` bounds what an outage finds in memory, in messages."""

    def __init__(
        self,
        surroundings: Surroundings,
        *,
        queue: EventQueue,
        prefetch: int,
        database: Availability,
        hold_for: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(surroundings)
        self._queue = queue
        self._prefetch = prefetch
        self._database = database
        self._hold_for = hold_for
        self._clock = clock
        self._promise = promise.QUORUM_QUEUE
        self._consumed_until: datetime | None = None
        self._broker_went_at: datetime | None = None
        self._count_at = 0.0

    @property
    def promise(self) -> str:
        """As the queue was found or made."""
        return self._promise

    def _receive(self, connection: driver.Connection) -> None:
        opened = self._queue.open(connection)
        tame(opened.channel.connection)
        self._promise = opened.promise
        if opened.created:
            self._note_creation()
        session = Session()
        channel = opened.channel
        # Bodies stay bytes: a sender's content encoding is not to choose what runs on them.
        channel.auto_decode = False
        # Before the consumer, or it begins without a bound; per consumer, as quorum queues know no other.
        channel.basic_qos(0, self._prefetch, False)
        overflow = Overflow(self._queue.name, self._around.gaps, now=self._around.now, clock=self._clock)
        if opened.promise != promise.CLASSIC_QUEUE and self._clock() >= self._count_at:
            self._count_at = self._clock() + COUNT_AGAIN_AFTER
            self._promise = _count(opened.promise, overflow, connection)
            self._count_at = 0.0
        # Last of all: answers to anything asked later would stand behind the first thousands of messages.
        ahead = ReadAhead(channel)
        tag = channel.basic_consume(self._queue.name, callback=partial(self._take, session))
        self._answered()
        self._note_restart()
        try:
            self._consume(_Consumer(connection, channel, tag, session, ahead, overflow))
        finally:
            session.close()
            self._around.buffer.clear()
            self._consumed_until = self._around.now()

    def _consume(self, consumer: "_Consumer") -> None:
        channel, session = consumer.channel, consumer.session
        beat_at = self._clock()
        while not self._finishing.is_set():
            if self._pausing.is_set() and not self.paused.is_set():
                channel.basic_cancel(consumer.tag)
                consumer.overflow.settle(at_last=True)
                self.paused.set()
            if self._database.away_for() > self._hold_for:
                consumer.overflow.close()
                self._give_back(channel, session)
                return
            self._acknowledge(channel, session)
            if self._clock() >= beat_at:
                consumer.overflow.settle()
                consumer.connection.heartbeat_check()
                beat_at = self._clock() + HEARTBEAT_EVERY
            self._drain(consumer)
        self._acknowledge(channel, session)
        consumer.overflow.settle()

    def _has_enough(self) -> bool:
        buffer = self._around.buffer
        return buffer.is_full() or buffer.size >= AHEAD_BYTES

    def _drain(self, consumer: "_Consumer") -> None:
        """Read what has arrived; what is too much for now waits in the socket."""
        if self._has_enough():
            self._around.buffer.wait_below(AHEAD_BYTES // 2, POLL)
            return
        try:
            consumer.connection.drain_events(timeout=POLL)
        except TimeoutError:
            return
        count = 0
        try:
            while count < DRAINED_AT_ONCE and not self._has_enough():
                delivered = consumer.ahead.delivery()
                if delivered is not None:
                    self._put(consumer.session, delivered)
                    count += 1
                elif not consumer.ahead.frame():
                    return
        finally:
            self._around.metrics.messages.inc(count)  # once, not for each message

    def _acknowledge(self, channel: driver.AmqpChannel, session: Session) -> None:
        due = session.due()
        if due is not None:
            channel.basic_ack(due, multiple=True)

    def _give_back(self, channel: driver.AmqpChannel, session: Session) -> None:
        """Hold nothing through a long outage: other collectors may reach a database, and RabbitMQ closes a channel
        that keeps messages for half an hour."""
        session.close()
        self._around.buffer.clear()
        channel.close()
        log.warning(GIVEN_BACK, held_for=self._hold_for.total_seconds())
        while self._database.away_for() and not self._pausing.wait(POLL):
            pass
        log.info(CONSUMING_AGAIN)

    def _take(self, session: Session, delivery: driver.Delivery) -> None:
        """A message by py-amqp."""
        properties = delivery.properties
        headers = properties.get("application_headers")
        compression = headers.get("compression") if isinstance(headers, dict) else None
        body = delivery.body
        delivered = Delivered(
            tag=delivery.delivery_tag,
            routing_key=str(delivery.delivery_info.get("routing_key") or ""),
            content_type=str(properties.get("content_type") or ""),
            content_encoding=str(properties.get("content_encoding") or ""),
            body=body.encode() if isinstance(body, str) else body,
        )
        self._around.metrics.messages.inc()
        self._put(session, delivered, compression=str(compression or ""))

    def _put(self, session: Session, delivered: Delivered, compression: str = "") -> None:
        tag, routing_key, content_type, content_encoding, body, _ = delivered
        self._around.buffer.put(
            Message(body, content_type, content_encoding, compression, routing_key, self._around.now(), session, tag)
        )

    def _lost(self, error: Exception) -> None:
        if self._consumed_until is not None and _broker_went(error):
            self._broker_went_at = self._broker_went_at or self._consumed_until
        super()._lost(error)

    def _note_restart(self) -> None:
        """What the queue holds outlives it, but not what workers were sending: most send without receipts."""
        went_at, self._broker_went_at = self._broker_went_at, None
        if went_at is not None:
            detail = "it stopped, or nothing listened at its address"
            self._around.gaps.note(gaps.Gap(went_at, self._around.now(), losses.BROKER_RESTARTED, detail))

    def _note_creation(self) -> None:
        """Unless no collector ever lived, somebody removed the queue, and with it what it held."""
        detail = f"queue {self._queue.name} was not there, nor what it had held"
        # Of what a collector that ended had not read, only the store knows where that began.
        ended, stored = self._around.now(), self._consumed_until is None
        self._around.gaps.note(gaps.Gap(self._consumed_until, ended, losses.QUEUE_MISSING, detail, since_stored=stored))


def _count(promised: str, overflow: Overflow, connection: driver.Connection) -> str:
    """Begin to count what the queue drops; the promise after that."""
    if promised == promise.QUORUM_QUEUE:
        overflow.open(connection)
        return promised
    return promise.FOUND_QUEUE_COUNTED if overflow.open_found(connection) else promised


@dataclass(frozen=True, slots=True)
class _Consumer:
    """One opening of the queue, and what belongs to it alone."""

    connection: driver.Connection
    channel: driver.AmqpChannel
    tag: str
    session: Session
    ahead: ReadAhead
    overflow: Overflow


def _broker_went(error: Exception) -> bool:
    """Whether the broker itself stopped, as far as this error tells: it said so, or nobody listens at its address. A
    line that breaks says neither."""
    return isinstance(error, ConnectionRefusedError) or (
        isinstance(error, exceptions.ConnectionForced) and "shutdown" in str(error)
    )
