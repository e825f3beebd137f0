"""Who hears of changes: one LISTEN connection a process, spread to any number of open streams.

A subscription holds one fact, "something changed since you last asked", so a slow reader costs nothing and a burst
is one message. Everything here runs in the event loop's thread.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from weakref import WeakSet

import structlog

from flower_store import errors

Listen = Callable[[], AsyncGenerator[int]]

_SHORTEST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0
_DOUBLINGS = 5
"""Reach the longest pause; unbounded, the power of two would overflow after an outage of two hours."""

_log = structlog.get_logger(__name__)


class Away(Exception):
    """Changes cannot be told now: the database cannot be listened to, or the process is stopping."""


class Full(Exception):
    """As many streams are open as may be."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Subscription:
    """One stream's view of one cluster. `version` grows; it says nothing but that it differs."""

    cluster_id: int
    version: int
    resync: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, version: int, *, resync: bool = False) -> None:
        """Note that something changed; `resync`: and that changes may have been missed before."""
        self.version = version
        self.resync = self.resync or resync
        self._news.set()

    def end(self) -> None:
        """Let the stream end."""
        self.ended.set()
        self._news.set()

    def take_resync(self) -> bool:
        """Whether changes may have been missed; asked once."""
        missed, self.resync = self.resync, False
        return missed

    async def news(self, patience: timedelta) -> bool:
        """Wait for news; False when there was none for so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), patience.total_seconds())
        heard = self._news.is_set()
        self._news.clear()
        return heard

    async def rest(self, quiet: timedelta) -> None:
        """Be quiet for so long, unless the stream is to end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), quiet.total_seconds())


class Live:
    """Listens while it runs and tells every subscription."""

    def __init__(
        self,
        listen: Listen,
        *,
        most: int,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._listen = listen
        self._most = most
        self._wait = wait
        self._clock = clock
        self._chance = chance
        # Weak: a response that is dropped before its first byte never runs its own clean-up.
        self._subscriptions: WeakSet[Subscription] = WeakSet()
        self._versions: defaultdict[int, int] = defaultdict(int)
        self._listening = asyncio.Event()
        self._stopped = False

    @property
    def listening(self) -> bool:
        """Whether changes are heard now."""
        return self._listening.is_set()

    async def begun(self, patience: timedelta) -> None:
        """Wait until changes are heard, for so long at most: a process that has just started hears them in a moment."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), patience.total_seconds())

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._subscriptions)

    def subscribe(self, cluster_id: int) -> Subscription:
        """Hear of one cluster's changes, until `leave` or until nobody holds it. Raises Away, Full."""
        if self._stopped or not self._listening.is_set():
            raise Away
        if len(self._subscriptions) >= self._most:
            raise Full
        subscription = Subscription(cluster_id, self._next(cluster_id))
        self._subscriptions.add(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Hear no more. May be called twice."""
        self._subscriptions.discard(subscription)

    async def run(self) -> None:
        """Listen until cancelled; connect again, ever more slowly, when the connection is lost."""
        failures = 0
        while True:
            try:
                async with aclosing(self._listen()) as notices:
                    async for cluster_id in notices:
                        failures = 0
                        self._heard(cluster_id)
            except errors.StoreError as error:
                self._lost(str(error), failures)
            except Exception:  # noqa: BLE001 - a service's outermost loop
                _log.exception("listening failed")
            finally:
                self._listening.clear()
            pause = min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2 ** min(failures, _DOUBLINGS))
            await self._wait(pause * (0.5 + self._chance() / 2))
            failures += 1

    def stop(self) -> None:
        """End every stream and take no new one. May be called twice."""
        self._stopped = True
        for subscription in tuple(self._subscriptions):
            subscription.end()

    def _heard(self, cluster_id: int) -> None:
        if cluster_id == 0:
            self._began()
            return
        version = self._next(cluster_id)
        for subscription in tuple(self._subscriptions):
            if subscription.cluster_id == cluster_id:
                subscription.tell(version)

    def _began(self) -> None:
        self._listening.set()
        _log.info("listening for changes")
        for subscription in tuple(self._subscriptions):
            subscription.tell(self._next(subscription.cluster_id), resync=True)

    def _lost(self, reason: str, failures: int) -> None:
        if failures == 0:  # the first of a run tells it all
            _log.warning("changes cannot be heard", reason=reason)

    def _next(self, cluster_id: int) -> int:
        """Milliseconds of the clock where they are larger, so that a page may change replicas and still see it grow."""
        self._versions[cluster_id] = max(self._versions[cluster_id] + 1, int(self._clock() * 1000))
        return self._versions[cluster_id]
