"""Every other transport of kombu's (filesystem, memory, …): a queue whose messages are ours once they are read."""

from typing import cast

from celery.events.event import get_exchange

from flower_collector import driver, envelope, promise
from flower_collector.receivers.receiver import Receiver, Surroundings

POLL = 0.5
"""Seconds for which one read waits; a stop is noticed after it."""

FULL_WAIT = 0.1
"""Seconds between looks at a full buffer; meanwhile the broker keeps what comes."""


class OtherReceiver(Receiver):
    """One queue a cluster, so that one that was left behind is found again; removed by an orderly stop."""

    def __init__(self, surroundings: Surroundings, *, queue_name: str) -> None:
        super().__init__(surroundings)
        self._queue_name = queue_name
        self._origin = surroundings.buffer.origin

    @property
    def promise(self) -> str:
        """Always the same."""
        return promise.CONSUMED

    def _receive(self, connection: driver.Connection) -> None:
        channel = cast("driver.VirtualChannel", connection.default_channel)
        name = self._queue_name
        self._declare(channel, kind=str(get_exchange(connection).type))
        channel.Message = driver.Payload
        channel.basic_consume(name, no_ack=True, callback=self._take, consumer_tag=name)
        self._answered()
        while not self._pausing.is_set():
            self._drain(connection)
        channel.basic_cancel(name)
        channel.queue_delete(name)

    def _declare(self, channel: driver.VirtualChannel, *, kind: str) -> None:
        """As workers declare the exchange (`celery.events.event`), and a queue of ours."""
        exchange = self._around.exchange
        channel.exchange_declare(exchange=exchange, type=kind, durable=True, auto_delete=False)
        channel.queue_declare(queue=self._queue_name)
        channel.queue_bind(queue=self._queue_name, exchange=exchange, routing_key="#")

    def _drain(self, connection: driver.Connection) -> None:
        if self._around.buffer.is_full():
            self._pausing.wait(FULL_WAIT)
            return
        try:
            connection.drain_events(timeout=POLL)
        except TimeoutError:
            return

    def _take(self, received: driver.Payload) -> None:
        self._around.metrics.messages.inc()
        buffer, now = self._around.buffer, self._around.now()
        message = envelope.opened_mapping(received.payload, origin=self._origin, received_at=now, tag=buffer.place(now))
        buffer.put(message)
