"""The thread that sends a probe (`probe.py`) again and again, while it leads: by the way that workers' events take."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol, cast
from uuid import UUID

from celery.events.event import get_exchange
from kombu.messaging import Producer

from flower_collector import app, driver, probe
from flower_collector.backoff import Backoff
from flower_collector.conversation import Conversation


class _Producer(Protocol):
    def publish(
        self,
        body: object,
        *,
        exchange: object,
        routing_key: str,
        serializer: str,
        delivery_mode: int,
        declare: Sequence[object],
    ) -> object: ...


_producer = cast("Callable[[driver.Connection], _Producer]", Producer)
_exchange = cast("Callable[[driver.Connection, str], object]", get_exchange)


class Prober(Conversation):
    """Each of its probes has the next number."""

    def __init__(
        self,
        cluster: app.App,
        *,
        name: str,
        hostname: str,
        instance: UUID,
        every: timedelta,
        leads: Callable[[], bool],
        backoff: Backoff,
        sending: Callable[[], object] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`name` is the cluster's; `sending` is told of each probe before it is sent."""
        super().__init__(cluster, name="flower-prober", every=every, leads=leads, backoff=backoff)
        self._cluster = name
        self._hostname = hostname
        self._instance = instance
        self._sending = sending
        self._now = now
        self._numbers = count()

    def _round(self, connection: driver.Connection) -> None:
        self._sending()
        sent = probe.Probe(
            hostname=self._hostname,
            instance=self._instance,
            cluster=self._cluster,
            sequence=next(self._numbers),
            sent_at=self._now(),
        )
        exchange = _exchange(connection, self._app.conf.event_exchange)
        # As workers publish: declared to the letter, transient.
        _producer(connection).publish(
            sent.event(),
            exchange=exchange,
            routing_key=probe.ROUTING_KEY,
            serializer="json",
            delivery_mode=1,
            declare=[exchange],
        )
        self._worked()
