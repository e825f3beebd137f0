"""Redis: a subscription to the channels on which Celery publishes events.

Publish/subscribe keeps nothing and waits for nobody: this thread never waits for the database, and a reader that is
slow for long is cut off by the server. What was missed is recorded as a gap.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import cast

from flower_collector import driver, envelope, gaps, promise
from flower_collector.receivers.receiver import Receiver, Surroundings
from flower_collector.receivers.subscription import subscribed
from flower_store import losses

POLL = 0.5
"""Seconds for which one read waits; a stop is noticed after it."""

PING_EVERY = 5.0
"""Seconds between questions whether the server is still there: a dead line to it looks like a quiet cluster."""

SILENCE_ALLOWED = 15.0
"""Seconds without any answer after which the line counts as dead."""

FAREWELL = 2.0
"""Seconds in which the server should confirm the end of the subscription."""


class RedisReceiver(Receiver):
    """Subscribed from `start()` to `pause()`, with as few interruptions as can be, each of them noted."""

    def __init__(self, surroundings: Surroundings, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(surroundings)
        self._clock = clock
        self._origin = surroundings.buffer.origin
        self._heard_at: datetime | None = None
        self._subscribed_until: datetime | None = None
        self._heard = 0.0

    @property
    def promise(self) -> str:
        """Always the same."""
        return promise.SUBSCRIPTION

    def _receive(self, connection: driver.Connection) -> None:
        channel = cast("driver.RedisChannel", connection.default_channel)
        with subscribed(channel, *_patterns(channel, self._around.exchange)) as subscription:
            self._await(subscription, "psubscribe")
            self._note_interruption()
            self._answered()
            try:
                self._listen(subscription)
                subscription.punsubscribe()
                self._await(subscription, "punsubscribe")
            finally:
                self._subscribed_until = self._heard_at

    def _listen(self, subscription: driver.Subscription) -> None:
        ping_at = self._clock() + PING_EVERY
        while not self._pausing.is_set():
            self._read(subscription)
            if self._clock() >= ping_at:
                subscription.ping()
                ping_at = self._clock() + PING_EVERY
            if self._clock() - self._heard > SILENCE_ALLOWED:
                raise ConnectionError(f"no answer for {SILENCE_ALLOWED:.0f} s")

    def _await(self, subscription: driver.Subscription, confirmation: str) -> None:
        """Read until the server confirms; what was published before its confirmation comes before it."""
        until = self._clock() + FAREWELL
        while self._read(subscription) != confirmation:
            if self._clock() > until:
                raise ConnectionError(f"no confirmation of {confirmation}")

    def _read(self, subscription: driver.Subscription) -> str | None:
        """Take one message; returns what kind of thing the server said."""
        published = subscription.get_message(timeout=POLL)
        if published is None:
            return None
        self._heard, self._heard_at = self._clock(), self._around.now()
        kind, data = published["type"], published["data"]
        if kind == "pmessage" and isinstance(data, bytes):
            self._around.metrics.messages.inc()
            buffer = self._around.buffer
            buffer.put_over(envelope.opened(data, origin=self._origin, received_at=self._heard_at, tag=buffer.place()))
        return str(kind)

    def _note_interruption(self) -> None:
        now = self._around.now()
        if self._subscribed_until is None:
            gap = gaps.Gap(None, now, losses.COLLECTOR_AWAY, "no collector was subscribed")
        else:
            gap = gaps.Gap(self._subscribed_until, now, losses.SUBSCRIPTION_LOST, "the subscription was interrupted")
        self._around.gaps.note(gap)


def _patterns(channel: driver.RedisChannel, exchange: str) -> tuple[str, ...]:
    """What Celery publishes on (`kombu.transport.redis`): with the routing key, or without where fanout_patterns
    is off.

    Both, because a difference between the workers' options and ours would otherwise show as silence.
    """
    topic = f"{channel.global_keyprefix}{channel.keyprefix_fanout}{exchange}"
    return (f"{topic}/*", topic)
