"""The queue on an AMQP broker that keeps events while no collector reads: durable, named, replicated, bounded.

Celery publishes events transient: a classic queue is empty after a broker restart, a quorum queue is not. Celery's own
receiver uses a queue without acknowledgement that drops what is older than five seconds, and goes with its reader.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog
from amqp import exceptions

from flower_collector import driver, promise
from flower_collector.receivers import overflow

log = structlog.get_logger()

QUEUE_FOUND = "queue found with other arguments"
EXCHANGE_FOUND = "event exchange found with other arguments"
NOT_BOUND = "queue not bound"

KEPT = (
    "the queue keeps its own arguments and bounds: delete it while it is empty, and it is made anew with those of the "
    "settings; a RabbitMQ policy can only lower bounds"
)
"""What the warning says to do."""

DELIVERY_LIMIT = 1_000_000
"""Times a message may come back. RabbitMQ 4 drops it after 20 by default, that is after 20 crashes of a collector;
-1 means no limit there, but drops everything at the first redelivery on 3.10."""

_REFUSED = (exceptions.PreconditionFailed, exceptions.AccessRefused, exceptions.ResourceLocked, exceptions.NotAllowed)


@dataclass(frozen=True, slots=True)
class Opened:
    """A channel on which the queue is ready; `created` says that it was not there before."""

    channel: driver.AmqpChannel
    created: bool
    promise: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQueue:
    """What the queue should be. A bound of 0 is none."""

    name: str
    exchange: str
    max_bytes: int
    max_length: int
    ttl: timedelta

    @property
    def arguments(self) -> dict[str, object]:
        """The arguments of its declaration. They cannot be changed later: RabbitMQ refuses, and we take what is."""
        arguments: dict[str, object] = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}
        return arguments | self._bounds | overflow.arguments(self.name)

    @property
    def _bounds(self) -> dict[str, object]:
        bounds: dict[str, object] = {}
        if self.max_bytes:
            bounds["x-max-length-bytes"] = self.max_bytes
        if self.max_length:
            bounds["x-max-length"] = self.max_length
        if self.ttl:
            bounds["x-message-ttl"] = int(self.ttl / timedelta(milliseconds=1))
        # Never reject-publish: Celery has no confirms, and with them its dispatcher would buffer without end.
        return bounds | ({"x-overflow": "drop-head"} if bounds else {})

    def open(self, connection: driver.Connection) -> Opened:
        """Declare what is not there and bind it; raises the driver's errors."""
        self._declare_exchange(connection)
        created = not self._there(connection)
        promised = self._declare(connection, created=created)
        self._bind(connection)
        return Opened(connection.channel(), created, promised)

    def _declare_exchange(self, connection: driver.Connection) -> None:
        def declare(channel: driver.AmqpChannel, *, passive: bool) -> None:
            # To the letter as workers declare it (`celery.events.event`): anything else is refused to one of us.
            channel.exchange_declare(
                exchange=self.exchange, type="topic", durable=True, auto_delete=False, passive=passive
            )

        refusal = _try(connection, lambda channel: declare(channel, passive=False))
        if refusal is not None:
            log.warning(EXCHANGE_FOUND, exchange=self.exchange, refusal=refusal)
            with connection.channel() as channel:
                declare(channel, passive=True)

    def _there(self, connection: driver.Connection) -> bool:
        try:
            with connection.channel() as channel:
                channel.queue_declare(queue=self.name, passive=True)
        except exceptions.NotFound:
            return False
        return True

    def _declare(self, connection: driver.Connection, *, created: bool) -> str:
        refusal = self._try_declaring(connection, self.arguments)
        if refusal is None:
            return promise.QUORUM_QUEUE
        log.warning(QUEUE_FOUND, queue=self.name, refusal=refusal, rule=KEPT)
        if not created:
            return promise.FOUND_QUEUE
        refusal = self._try_declaring(connection, self._bounds)
        if refusal is not None:
            raise exceptions.PreconditionFailed(refusal)
        return promise.CLASSIC_QUEUE

    def _try_declaring(self, connection: driver.Connection, arguments: Mapping[str, object]) -> str | None:
        return _try(
            connection,
            lambda channel: channel.queue_declare(
                queue=self.name, durable=True, exclusive=False, auto_delete=False, arguments=dict(arguments)
            ),
        )

    def _bind(self, connection: driver.Connection) -> None:
        refusal = _try(
            connection,
            lambda channel: channel.queue_bind(queue=self.name, exchange=self.exchange, routing_key="#"),
        )
        if refusal is not None:
            log.warning(NOT_BOUND, queue=self.name, exchange=self.exchange, refusal=refusal)


def _try(connection: driver.Connection, attempt: Callable[[driver.AmqpChannel], object]) -> str | None:
    """Why the broker refused, or None. On a channel of its own, because a refusal closes it."""
    try:
        with connection.channel() as channel:
            attempt(channel)
    except _REFUSED as error:
        return str(error)
    return None
