"""Redis: the thread that looks for workers whose events are published where this collector does not listen.

PUB/SUB knows no database and no prefix, only names: a subscription to every channel of heartbeats hears each worker on
the server, whatever its options, and the name of the channel tells what differs from ours. So no difference has to be
guessed from keys, and none is silent. (`PUBSUB CHANNELS` shows nothing: kombu subscribes to patterns.)

It listens only while no worker's event comes to us, and then not for long.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import structlog
from redis import exceptions

from flower_collector import app, channels, driver, envelope, gate
from flower_collector.backoff import Backoff
from flower_collector.channels import Way
from flower_collector.conversation import Conversation
from flower_collector.findings import Findings
from flower_collector.message import Unacknowledged
from flower_collector.periodic import Periodic
from flower_collector.receivers.subscription import subscribed
from flower_store import findings

log = structlog.get_logger()

NOT_PERMITTED = "cannot listen for workers with other options: the broker's user may not subscribe to all channels"

LOOK = timedelta(seconds=1)
"""Between looks whether anything was heard."""

HEARTBEATS = 3
"""Heartbeats of one worker, by another way, in a time in which nothing at all came by ours."""

QUIET = timedelta(seconds=6)
"""Three of Celery's heartbeats: as long as this nothing must have come to us before we listen again."""

EVERY = timedelta(seconds=30)
"""Between two times of listening: what somebody else's cluster publishes is sent to us meanwhile."""

LISTENED = 15.0
"""Seconds of listening, at most: time for three heartbeats of a worker that sends one every five seconds."""

POLL = 0.5
"""Seconds for which one read waits."""

MOST = 1_000
"""Messages that one time of listening reads, at most."""

NAMED = 3
"""Workers that a sentence names; the others are counted."""


class Strangers(Conversation):
    """Tells of `EVENTS_ELSEWHERE`. `heard` counts what came from workers by our way; `settled` is whether broker and
    database answer, without which nothing is counted."""

    def __init__(
        self,
        cluster: app.App,
        found: Findings,
        *,
        heard: Callable[[], int],
        settled: Callable[[], bool],
        leads: Callable[[], bool],
        backoff: Backoff,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(cluster, name="flower-strangers", every=LOOK, leads=leads, backoff=backoff)
        self._found = found
        self._heard = heard
        self._settled = settled
        self._clock = clock
        self._before = 0
        self._quiet_at = clock()
        self._listening = Periodic(EVERY, clock=clock)
        self._permitted = True

    def _round(self, connection: driver.Connection) -> None:
        if not self._settled() or self._spoken():
            return
        if self._permitted and self._clock() >= self._quiet_at and self._listening.due():
            self._look(connection)
            self._worked()

    def _spoken(self) -> bool:
        """Whether something came by our way since the last look: then all is well."""
        before, self._before = self._before, self._heard()
        if self._before == before:
            return False
        self._found.clear(findings.EVENTS_ELSEWHERE)
        self._quiet_at = self._clock() + QUIET.total_seconds()
        return True

    def _look(self, connection: driver.Connection) -> None:
        channel = cast("driver.RedisChannel", connection.default_channel)
        exchange = self._app.conf.event_exchange
        ours = Way(channel.global_keyprefix, channel.keyprefix_fanout, exchange)
        try:
            # Heartbeats of all who use patterns; of those who do not, all that has our exchange's name.
            with subscribed(channel, f"*{channels.HEARTBEAT}", f"*{exchange}") as subscription:
                sentence = self._listen(subscription, ours)
        except exceptions.NoPermissionError:
            self._permitted = False
            log.info(NOT_PERMITTED)
            return
        if sentence and self._heard() == self._before:
            self._found.tell(findings.EVENTS_ELSEWHERE, sentence)
        else:
            self._found.clear(findings.EVENTS_ELSEWHERE)

    def _listen(self, subscription: driver.Subscription, ours: Way) -> str | None:
        """What differs, as soon as it is clear; None where nobody else is heard, or somebody by our way."""
        until = self._clock() + LISTENED
        beats: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for _ in range(MOST):
            if self._clock() > until or self._stopping.is_set() or self._heard() != self._before:
                return None
            published = subscription.get_message(timeout=POLL)
            if published is None or published["type"] != "pmessage":
                continue
            topic = channels.topic(_text(published["channel"]))
            if topic != ours.topic:
                beats[topic].update(_hosts(published["data"]))
            if topic in beats and max(beats[topic].values(), default=0) >= HEARTBEATS:
                return _sentence(ours, topic, sorted(beats[topic]))
        return None


def _hosts(data: object) -> list[str]:
    """The workers whose heartbeats these bytes hold, which anybody may have published."""
    if not isinstance(data, bytes):
        return []
    message = envelope.opened(data, origin=Unacknowledged(), received_at=datetime.now(UTC))
    return [event.hostname for event in gate.open_message(message).workers if event.type == "worker-heartbeat"]


def _sentence(ours: Way, topic: str, hosts: list[str]) -> str:
    theirs = channels.way(topic, exchange=ours.exchange)
    differences = "; ".join(ours.differences(theirs))
    more = f" and {len(hosts) - NAMED} more" if len(hosts) > NAMED else ""
    return (
        f"No event of a worker arrives, but {', '.join(hosts[:NAMED])}{more} on the same Redis server publishes events "
        f"elsewhere: {differences}. If these are this cluster's workers, give the collector their options."
    )


def _text(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
