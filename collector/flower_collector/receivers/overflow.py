"""What RabbitMQ drops of the queue for events, counted: at its bounds, or for its age.

The broker keeps no such count. So the queue sends what it drops to a small queue beside it, which is read here and
thrown away; one collector at a time reads it. That queue has bounds, too: past them the count says "at least".
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import msgspec
import structlog

from flower_collector import decoder, driver, gaps
from flower_store import losses

log = structlog.get_logger()

NOT_COUNTED = "what the broker drops is not counted"

KEPT = 100_000
"""Messages of which the count is exact while every collector is away; at most KEPT_BYTES of them."""

KEPT_BYTES = 64 * 1024**2

PREFETCH = 1_000

QUIET = 1.0
"""Seconds without a drop after which an overflow counts as over, and is recorded."""

LONGEST = 10.0
"""Seconds after which one that goes on is recorded as far as it has come."""

_AGED = "expired"


class _Stamp(msgspec.Struct, frozen=True):
    timestamp: float | None = None


_stamps = msgspec.json.Decoder(list[_Stamp] | _Stamp)


def queue_name(queue: str) -> str:
    """The name of the queue for what `queue` drops."""
    return f"{queue}.dropped"


def arguments(queue: str) -> dict[str, object]:
    """The arguments with which `queue` sends there what it drops."""
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue_name(queue)}


class Overflow:
    """Lives as long as one connection. Counting is a service to people: where it is refused, collecting goes on."""

    def __init__(
        self,
        queue: str,
        noted: gaps.Gaps,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = queue_name(queue)
        self._queue = queue
        self._noted = noted
        self._now = now
        self._clock = clock
        self._channel: driver.AmqpChannel | None = None
        self._more = False
        self._counted = _Counted()

    def open_found(self, connection: driver.Connection) -> bool:
        """As `open`, but nothing is made: without an event queue that drops into it there would be nothing to read."""
        try:
            with connection.channel() as channel:
                channel.queue_declare(queue=self._name, passive=True)
        except connection.channel_errors as error:
            log.warning(NOT_COUNTED, queue=self._queue, refusal=str(error))
            return False
        return self.open(connection)

    def open(self, connection: driver.Connection) -> bool:
        """Declare the queue and begin to read it; whether that was granted."""
        try:
            channel = connection.channel()
            channel.auto_decode = False
            self._more = self._declare(channel) >= KEPT
            channel.basic_qos(0, PREFETCH, False)
            channel.basic_consume(self._name, callback=self._take)
        except connection.channel_errors as error:
            log.warning(NOT_COUNTED, queue=self._queue, refusal=str(error))
            return False
        self._channel = channel
        return True

    def settle(self) -> None:
        """Record an overflow that is over, or has gone on for long."""
        counted, moment = self._counted, self._clock()
        if self._channel is None or not counted.events:
            return
        if moment - counted.grown_at < QUIET and moment - counted.begun_at < LONGEST:
            return
        self._noted.note(self._gap(counted))
        self._channel.basic_ack(counted.tag, multiple=True)
        self._more = False
        self._counted = _Counted()

    def _declare(self, channel: driver.AmqpChannel) -> int:
        """Messages that wait there."""
        declared = channel.queue_declare(
            queue=self._name,
            durable=True,
            exclusive=False,
            auto_delete=False,
            arguments={
                "x-queue-type": "quorum",
                "x-single-active-consumer": True,
                "x-max-length": KEPT,
                "x-max-length-bytes": KEPT_BYTES,
                "x-overflow": "drop-head",
            },
        )
        return cast("int", getattr(declared, "message_count", 0))

    def _take(self, delivery: driver.Delivery) -> None:
        counted, latest = self._counted, self._now().timestamp()
        counted.grown_at = self._clock()
        counted.begun_at = counted.begun_at or counted.grown_at
        counted.tag = delivery.delivery_tag
        counted.aged = counted.aged or _reason(delivery.properties) == _AGED
        body = delivery.body
        times = _times(body.encode() if isinstance(body, str) else body)
        counted.events += len(times)
        counted.times += [one for one in times if one is not None and decoder.EARLIEST <= one <= latest]
        counted.times = [min(counted.times), max(counted.times)] if counted.times else []

    def _gap(self, counted: "_Counted") -> gaps.Gap:
        times = [datetime.fromtimestamp(one, UTC) for one in counted.times] or [self._now()]
        reason = losses.QUEUE_EXPIRED if counted.aged else losses.QUEUE_OVERFLOW
        detail = f"queue {self._queue}"
        if self._more:
            return gaps.Gap(times[0], times[-1], reason, f"{detail}: at least {counted.events} events")
        return gaps.Gap(times[0], times[-1], reason, detail, count=counted.events)


@dataclass(slots=True)
class _Counted:
    """One overflow so far; `times` are the first and the last of its events', by their senders' clocks."""

    events: int = 0
    times: list[float] = field(default_factory=list)
    tag: int = 0
    aged: bool = False
    begun_at: float = 0.0
    grown_at: float = 0.0


def _reason(properties: Mapping[str, object]) -> str:
    """Why it was dropped: maxlen, expired (RabbitMQ's manual, "Dead Letter Exchanges")."""
    headers = properties.get("application_headers")
    return str(headers.get("x-first-death-reason") or "") if isinstance(headers, dict) else ""


def _times(body: bytes) -> list[float | None]:
    """The time of each event of a message; a message that cannot be read counts as one."""
    try:
        stamps = _stamps.decode(body)
    except (ValueError, RecursionError):
        return [None]
    return [stamp.timestamp for stamp in (stamps if isinstance(stamps, list) else [stamps])]
