"""The receiving side: what comes from the broker, and where it waits: in memory, and on disk where the broker keeps
nothing itself."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from flower_collector import spooling
from flower_collector.buffer import Buffer
from flower_collector.receivers import choice
from flower_collector.receivers.receiver import Surroundings
from flower_collector.receivers.redis import RedisReceiver
from flower_collector.shared import Shared
from flower_collector.spooler import Spooler

log = structlog.get_logger()

NOT_JSON = "events are not JSON: set event_serializer to json, all others are set aside"


class Intake:
    """Receivers, the `buffer` that they fill, and its spool where there is one."""

    def __init__(self, shared: Shared) -> None:
        """Opens the spool; nothing is connected."""
        self._shared = shared
        settings = shared.settings
        if shared.app.conf.event_serializer != "json":
            log.warning(NOT_JSON, event_serializer=shared.app.conf.event_serializer)
        self.buffer = Buffer(messages=settings.buffer_size, size=settings.buffer_max_bytes)
        self._spooler: Spooler | None = None
        if shared.kind == "redis" and settings.redis_mode != "stream":
            self._open_spool()
        self._receivers = choice.receivers_for(
            shared.kind, self._surroundings(), settings=settings, cluster=shared.app, database=shared.events
        )

    @property
    def receivers(self) -> Sequence[threading.Thread]:
        """The threads that receive."""
        return self._receivers

    @property
    def spoolers(self) -> Sequence[threading.Thread]:
        """The thread of the spool, where there is one."""
        return () if self._spooler is None else (self._spooler,)

    @property
    def answered(self) -> bool | None:
        """Whether the broker answers every receiver; None while one has neither been answered nor failed."""
        told = [receiver.answered for receiver in self._receivers]
        return False if False in told else None if None in told else True

    @property
    def subscribed(self) -> bool:
        """Whether events come by a subscription, which knows nothing of those that are published elsewhere."""
        return any(isinstance(receiver, RedisReceiver) for receiver in self._receivers)

    @property
    def complete_until(self) -> datetime | None:
        """Until when the subscription missed nothing; see `RedisReceiver`. None where there is no subscription."""
        return next((one.complete_until for one in self._receivers if isinstance(one, RedisReceiver)), None)

    @property
    def promise(self) -> str:
        """What may be promised of the events that come."""
        return self._receivers[-1].promise

    def pause(self, patience: timedelta) -> None:
        """Take nothing more, as soon as each receiver can, and in this time at most."""
        for receiver in self._receivers:
            receiver.pause()
        for receiver in self._receivers:
            receiver.paused.wait(patience.total_seconds())

    def finish(self) -> None:
        """Send the last receipts."""
        for receiver in self._receivers:
            receiver.finish()

    def abandon(self) -> None:
        """Let nobody take from memory what is for the disk, where there is one."""
        self.buffer.abandon()

    def save(self, patience: timedelta) -> None:
        """What could not be written is for the disk, as soon as nobody else holds it."""
        if self._spooler is None:
            return
        self._spooler.finish()
        if self._spooler.is_alive():
            self._spooler.join(patience.total_seconds())

    def close(self) -> None:
        """End what was never started."""
        if self._spooler is not None:
            self._spooler.finish()
            self._spooler.run()

    def _open_spool(self) -> None:
        """What the broker does not keep is kept on disk, where there is one."""
        shared = self._shared
        opened = spooling.opened(
            shared.settings, shared.shown, noted=shared.gaps, metrics=shared.metrics, backoff=shared.backoff()
        )
        if opened is not None:
            self.buffer, self._spooler = opened

    def _surroundings(self) -> Surroundings:
        shared = self._shared
        return Surroundings(
            connect=shared.connection,
            exchange=shared.app.conf.event_exchange,
            buffer=self.buffer,
            gaps=shared.gaps,
            broker=shared.broker,
            metrics=shared.metrics,
            backoff=shared.backoff(),
        )
