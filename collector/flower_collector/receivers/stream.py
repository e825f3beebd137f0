"""Redis, durable mode: the stream to which `flower_worker` appends events, read by a group of collectors.

An entry is acknowledged after the commit; until then it is ours, and another collector's once we are silent. With the
database away we hold a bounded number, and the stream holds the rest.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

import structlog
from redis import exceptions

from flower_collector import driver, envelope, gaps, promise
from flower_collector.availability import Availability
from flower_collector.receivers import consumer_group, entries
from flower_collector.receivers.consumer_group import ConsumerGroup, Hole, Page
from flower_collector.receivers.holding import Holding
from flower_collector.receivers.receiver import Receiver, Surroundings
from flower_store import losses

log = structlog.get_logger()

STREAM_FOUND = "stream found, reading it"
STREAM_FORBIDDEN = "not permitted to look for a stream: events are read from PUB/SUB alone"
TOO_OLD = "server too old for a stream"
STREAM_MADE = "stream or group was not there, made"
TAKEN_OVER = "entries of a silent collector taken over"

PAGE = 500
"""Entries read at once: 200 already gave 12,500 events a second."""

ACKNOWLEDGED_AT_ONCE = 1_000

IDLE_WAIT = timedelta(seconds=0.5)
"""How long one read waits for an entry; a stop is noticed after it."""

RECEIPT_WAIT = timedelta(seconds=0.1)
"""The same, while receipts are due soon."""

INSTEAD = "renew the server, or start the collector with --redis-mode pubsub"

LOOK_AGAIN = 30.0
"""Seconds between looks whether a server that was too old has been renewed."""

LOOK_EVERY = 1.0
"""Seconds between looks for silent collectors, or for a stream where there is none."""

ANSWER_WITHIN = 15.0
"""Seconds after which a line on which no answer comes counts as dead, unless the transport options say otherwise."""


class StreamReceiver(Receiver):
    """Reads `key`, or waits for it where it `waits`: as long as no application appends to it, there is none."""

    def __init__(
        self,
        surroundings: Surroundings,
        *,
        key: str,
        group: str,
        window: int,
        waits: bool,
        database: Availability,
        hold_for: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`window` bounds what is held unacknowledged, in entries."""
        super().__init__(surroundings)
        self.name = "flower-stream"
        self._key = key
        self._group_name = group
        self._window = window
        self._waits = waits
        self._database = database
        self._hold_for = hold_for
        self._clock = clock
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._holding = Holding()
        self._joined = False
        self._kept: bool | None = None
        self._told = False
        self._hole: tuple[Hole, threading.Event] | None = None
        self._sound_until: datetime | None = None
        self._look_at = 0.0

    @property
    def promise(self) -> str:
        """As the stream is there or not."""
        if not self._waits:
            return promise.STREAM
        return promise.STREAM_AND_SUBSCRIPTION if self._joined else promise.SUBSCRIPTION

    def kept(self, since: datetime | None) -> bool | None:
        """Whether the stream kept events since then, or since before we came; None while that is not known."""
        return self._kept if since is None or self._kept is None else self._joined

    def _receive(self, connection: driver.Connection) -> None:
        channel = cast("driver.RedisChannel", connection.default_channel)
        _bound_waiting(channel)
        with channel.conn_or_acquire() as client:
            group = ConsumerGroup(
                cast("consumer_group.Client", client),
                key=channel.global_keyprefix + self._key,
                group=self._group_name,
                consumer=self._consumer,
            )
            if self._await_stream(group) and self._is_new_enough(group):
                self._join(group)
                self._answered()
                self._consume(group)

    def _await_stream(self, group: ConsumerGroup) -> bool:
        """Whether there is one to read before the end."""
        while self._waits and not self._joined and not self._exists(group):
            self._kept = False
            self._answered()
            if self._pausing.wait(LOOK_EVERY):
                return False
        return True

    def _exists(self, group: ConsumerGroup) -> bool:
        """Whether there is a stream; as good as none is one that the broker's rules hide from us."""
        try:
            return group.exists()
        except exceptions.NoPermissionError as error:
            if not self._told:
                self._told = True
                log.warning(STREAM_FORBIDDEN, stream=self._key, error=str(error))
            return False

    def _is_new_enough(self, group: ConsumerGroup) -> bool:
        """Told in one sentence where it is not, and looked at again: servers are renewed under us."""
        try:
            group.check()
        except consumer_group.TooOld as error:
            if not self._told:
                log.error(TOO_OLD, reason=f"{error}; {INSTEAD}")  # noqa: TRY400 - the sentence says it all
            self._told, self._kept = True, False
            if not self._waits:
                raise ConnectionError(str(error)) from error
            self._answered()
            self._pausing.wait(LOOK_AGAIN)
            return False
        return True

    def _join(self, group: ConsumerGroup) -> None:
        made = group.create()
        self._kept = not made
        if made:
            log.info(STREAM_MADE, stream=self._key, group=self._group_name)
            self._note_loss()
        if not self._joined:
            log.info(STREAM_FOUND, stream=self._key, group=self._group_name, promise=promise.STREAM)
        self._joined = True

    def _note_loss(self) -> None:
        """The group is new: unless there never was one, its stream is gone, and with it what nobody had read."""
        if self._waits and not self._joined:
            return  # the application has only now begun to append; until then it was the subscription that counted
        detail = f"stream {self._key} or its group {self._group_name} was not there"
        # Of what a collector that ended had not read, only the store knows where that began.
        ended, stored = self._around.now(), self._sound_until is None
        self._around.gaps.note(gaps.Gap(self._sound_until, ended, losses.STREAM_LOST, detail, since_stored=stored))

    def _consume(self, group: ConsumerGroup) -> None:
        while not self._finishing.is_set():
            try:
                self._round(group)
            except consumer_group.Vanished:
                self._join(group)
        self._farewell(group)

    def _round(self, group: ConsumerGroup) -> None:
        self._acknowledge(group)
        if self._pausing.is_set():
            self.paused.set()
            self._finishing.wait(RECEIPT_WAIT.total_seconds())
            return
        if self._database.away_for() > self._hold_for:
            # Silent, so that collectors that reach a database take over what we hold.
            self._pausing.wait(RECEIPT_WAIT.total_seconds())
            return
        if self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_EVERY
            self._look_around(group)
        self._read(group)

    def _read(self, group: ConsumerGroup) -> None:
        room = self._room()
        if not room or self._waits_for(group):
            self._pausing.wait(RECEIPT_WAIT.total_seconds())
            return
        page = group.read(room)
        self._take(page)
        if page.hole is not None:
            return
        self._sound_until = entries.moment(page.entries[-1].id) if page.entries else self._around.now()
        if not page.entries:
            group.wait(RECEIPT_WAIT if self._holding else IDLE_WAIT)

    def _look_around(self, group: ConsumerGroup) -> None:
        group.stay()
        room = self._room()
        if room and not self._waits_for(group):
            page = group.take_over(room)
            self._take(page)
            if page.entries:
                self._around.metrics.taken_over.inc(len(page.entries))
                log.info(TAKEN_OVER, entries=len(page.entries))

    def _waits_for(self, group: ConsumerGroup) -> bool:
        """Whether a hole is not yet committed. Until then it stays at Redis, where a kill does not reach it."""
        if self._hole is None:
            return False
        hole, recorded = self._hole
        if not recorded.wait(RECEIPT_WAIT.total_seconds()):
            return True
        group.close(hole)
        self._hole = None
        return False

    def _room(self) -> int:
        full = self._around.buffer.is_full()
        return 0 if full else max(0, min(PAGE, self._window - len(self._holding)))

    def _take(self, page: Page) -> None:
        if page.hole is not None:
            self._note_hole(page.hole)
        for entry in page.entries:
            # Delivered to us again, after the group was set back; the first delivery is still to be committed.
            if entry.id not in self._holding:
                self._around.metrics.messages.inc()
                tag, now = self._holding.take(entry.id), self._around.now()
                self._around.buffer.put(envelope.opened_entry(entry.fields, self._holding, now, tag))

    def _note_hole(self, hole: Hole) -> None:
        recorded = threading.Event()
        self._hole = (hole, recorded)
        self._around.gaps.note(
            gaps.Gap(
                hole.began_at, hole.ended_at, losses.STREAM_TRIMMED, f"stream {self._key} was at its length",
                count=hole.events, identity=hole.identity, recorded=recorded,
            )
        )  # fmt: skip

    def _acknowledge(self, group: ConsumerGroup) -> None:
        while ids := self._holding.due(ACKNOWLEDGED_AT_ONCE):
            group.acknowledge(ids)
            self._holding.acknowledged(ids)

    def _farewell(self, group: ConsumerGroup) -> None:
        try:
            self._acknowledge(group)
            self._waits_for(group)
            if not self._holding:
                group.leave()
        except consumer_group.Vanished:
            return


def _bound_waiting(channel: driver.RedisChannel) -> None:
    """Of the connections of this channel, none of which is open yet."""
    options = channel.pool.connection_kwargs
    options["socket_timeout"] = options.get("socket_timeout") or ANSWER_WITHIN
