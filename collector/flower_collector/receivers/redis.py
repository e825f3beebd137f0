"""Redis: a subscription to the channels on which Celery publishes events.

Publish/subscribe keeps nothing and waits for nobody: this thread never waits for the database, and a reader that is
slow for long is cut off by the server. What was missed is recorded as a gap.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import cast

from flower_collector import driver, envelope, gaps, promise
from flower_collector.receivers.receiver import Receiver, Surroundings
from flower_collector.receivers.subscription import subscribed
from flower_store import losses

POLL = 0.5
"""Seconds for which one read waits; a stop is noticed after it."""

PING_EVERY = 1.0
"""Seconds between questions whether the server is still there: a dead line to it looks like a quiet cluster. The answer
comes after all that was published before the question, so that a gap begins no later than its first loss."""

SILENCE_ALLOWED = 15.0
"""Seconds without any answer after which the line counts as dead."""

JUDGED_WITHIN = 10.0
"""Seconds after which a gap is noted even though the stream has not been looked at."""

FAREWELL = 2.0
"""Seconds of silence after which the server is not expected to confirm the subscription or its end any more."""


class RedisReceiver(Receiver):
    """Subscribed from `start()` to `pause()`, with as few interruptions as can be, each of them noted.

    `kept` tells whether a stream kept what the add-on's workers sent since a time, or since before we came where there
    is none; it gives None while that is not known.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        *,
        kept: Callable[[datetime | None], bool | None] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(surroundings)
        self._kept = kept
        self._interrupted: gaps.Gap | None = None
        self._clock = clock
        self._origin = surroundings.buffer.origin
        self._asked_at: datetime | None = None
        self._complete_until: datetime | None = None
        self._heard = 0.0

    @property
    def promise(self) -> str:
        """Always the same."""
        return promise.SUBSCRIPTION

    @property
    def complete_until(self) -> datetime | None:
        """What was sent until then is in the buffer, or the gap is noted; None before the first subscription is."""
        interrupted = self._interrupted
        return self._complete_until if interrupted is None else interrupted.started_at

    def _receive(self, connection: driver.Connection) -> None:
        channel = cast("driver.RedisChannel", connection.default_channel)
        with subscribed(channel, *_patterns(channel, self._around.exchange)) as subscription:
            self._await(subscription, "psubscribe")
            self._begin(self._around.now())
            until = self._clock() + JUDGED_WITHIN
            self._answered()
            try:
                self._listen(subscription, until)
                ended_at = self._around.now()
                subscription.punsubscribe()
                self._await(subscription, "punsubscribe")
                self._complete_until = ended_at
            finally:
                self._note_interruption(at_last=True)

    def _listen(self, subscription: driver.Subscription, judged_until: float) -> None:
        self._asked_at, ask_at = None, self._clock()
        while not self._pausing.is_set():
            if self._asked_at is None and self._clock() >= ask_at:
                self._asked_at, ask_at = self._around.now(), self._clock() + PING_EVERY
                subscription.ping()
            self._read(subscription)
            self._note_interruption(at_last=self._clock() >= judged_until)
            if self._clock() - self._heard > SILENCE_ALLOWED:
                raise ConnectionError(f"no answer for {SILENCE_ALLOWED:.0f} s")

    def _await(self, subscription: driver.Subscription, confirmation: str) -> None:
        """Read until the server confirms; what was published before its confirmation comes before it, however much."""
        until = self._clock() + FAREWELL
        while (said := self._read(subscription)) != confirmation:
            if said is not None:
                until = self._clock() + FAREWELL
            elif self._clock() > until:
                raise ConnectionError(f"no confirmation of {confirmation}")

    def _read(self, subscription: driver.Subscription) -> str | None:
        """Take one message; returns what kind of thing the server said."""
        published = subscription.get_message(timeout=POLL)
        if published is None:
            return None
        self._heard = self._clock()
        kind, data = published["type"], published["data"]
        if kind == "pmessage" and isinstance(data, bytes):
            self._around.metrics.messages.inc()
            buffer, now = self._around.buffer, self._around.now()
            since = self._complete_until or now  # what was sent before then came before the answer to a ping
            buffer.put_over(envelope.opened(data, origin=self._origin, received_at=now, tag=buffer.place(since)))
        elif kind == "pong":
            self._complete_until, self._asked_at = self._asked_at, None
        return str(kind)

    def _begin(self, now: datetime) -> None:
        self._interrupted = self._interruption(now)
        self._complete_until = now  # after it: whoever asks in between hears of the interruption

    def _interruption(self, now: datetime) -> gaps.Gap:
        """What this subscription ends: the absence of all collectors, or a break of ours."""
        begun = self._complete_until
        if begun is None:
            return gaps.Gap(None, now, losses.COLLECTOR_AWAY, "no collector was subscribed")
        return gaps.Gap(begun, now, losses.SUBSCRIPTION_LOST, "the subscription was interrupted")

    def _note_interruption(self, *, at_last: bool) -> None:
        """As soon as it is known what was kept of it, or at last without that."""
        gap = self._interrupted
        if gap is None:
            return
        kept = self._kept(gap.started_at)
        if kept is None and not at_last:
            return
        self._around.gaps.note(replace(gap, reason=losses.NOT_SUBSCRIBED) if kept else gap)
        self._interrupted = None  # after it, for `complete_until`


def _patterns(channel: driver.RedisChannel, exchange: str) -> tuple[str, ...]:
    """What Celery publishes on (`kombu.transport.redis`): with the routing key, or without where fanout_patterns
    is off.

    Both, because a difference between the workers' options and ours would otherwise show as silence.
    """
    topic = f"{channel.global_keyprefix}{channel.keyprefix_fanout}{exchange}"
    return (f"{topic}/*", topic)
