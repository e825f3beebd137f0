"""A batch of what RabbitMQ dropped, as it arrived in the queue beside the event queue, and the gaps that it makes."""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from flower_collector import decoder, driver, stamps
from flower_collector.gaps import Gap
from flower_store import losses

_AGED = "expired"


@dataclass(slots=True)
class Batch:
    """Messages in their order. `waited` says that some of them waited when the reading began, `redelivered` that the
    last one had been delivered before, `at_least` that others may be missing before or between them."""

    messages: int = 0
    size: int = 0
    tag: int = 0
    begun_at: float = 0.0
    grown_at: float = 0.0
    waited: bool = False
    redelivered: bool = False
    at_least: bool = False
    _lost: dict[str, "_Lost"] = field(default_factory=dict)

    def add(self, delivery: driver.Delivery, moment: float, *, latest: float) -> None:
        """One message more, at a moment of a monotonic clock; its events are none of later than `latest` (Unix)."""
        body = delivery.body.encode() if isinstance(delivery.body, str) else delivery.body
        death = _death(delivery.properties)
        self.begun_at = moment if not self.messages else self.begun_at
        self.grown_at = moment
        self.messages += 1
        self.size += len(body)
        self.tag = delivery.delivery_tag
        self.redelivered = bool(delivery.delivery_info.get("redelivered"))
        if times := stamps.of(body):  # not a probe of ours
            reason = losses.QUEUE_EXPIRED if death.get("reason") == _AGED else losses.QUEUE_OVERFLOW
            lost = self._lost.get(reason) or self._lost.setdefault(reason, _Lost(_identity(reason, body, death)))
            lost.add(times, latest)

    def gaps(self, detail: str, now: datetime) -> Sequence[Gap]:
        """One for each reason; where no event told its time, of now."""
        return [
            Gap(
                lost.first or now,
                lost.last or now,
                reason,
                detail,
                count=lost.events,
                at_least=self.at_least,
                since_stored=self.at_least,
                identity=lost.identity,
                recorded=lost.recorded,
            )
            for reason, lost in self._lost.items()
        ]

    @property
    def is_recorded(self) -> bool:
        """Whether all its gaps are committed."""
        return all(lost.recorded.is_set() for lost in self._lost.values())


@dataclass(slots=True)
class _Lost:
    """Events of one reason, and the time of the first and the last of them, by their senders' clocks."""

    identity: UUID
    events: int = 0
    first: datetime | None = None
    last: datetime | None = None
    recorded: threading.Event = field(default_factory=threading.Event)

    def add(self, times: Sequence[stamps.Moment], latest: float) -> None:
        self.events += len(times)
        told = [one for one in times if one is not None and decoder.EARLIEST <= one <= latest]
        if told:
            first, last = (datetime.fromtimestamp(one, UTC) for one in (min(told), max(told)))
            self.first = min(self.first or first, first)
            self.last = max(self.last or last, last)


def _death(properties: Mapping[str, object]) -> Mapping[str, object]:
    """Why (maxlen, expired) and when it was dropped (RabbitMQ's manual, "Dead Letter Exchanges")."""
    headers = properties.get("application_headers")
    deaths = headers.get("x-death") if isinstance(headers, dict) else None
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}


def _identity(reason: str, body: bytes, death: Mapping[str, object]) -> UUID:
    """Of the message that a gap begins with. Its time of death is the broker's and stays: equal messages may be dropped
    again and again."""
    told = f"{reason} {death.get('queue')} {death.get('time')} ".encode()
    return UUID(bytes=hashlib.blake2b(told + body, digest_size=16).digest())
