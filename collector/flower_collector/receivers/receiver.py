"""What all receivers share: a thread that connects, receives, and connects again, for as long as it takes."""

import abc
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from flower_collector import connections, driver
from flower_collector.availability import Availability
from flower_collector.backoff import Backoff
from flower_collector.buffer import Buffer
from flower_collector.gaps import Gaps
from flower_collector.metrics import Metrics

log = structlog.get_logger()

RECEIVING = "receiving"
RECEIVING_ENDED = "receiving ended"
BROKER_LOST = "broker lost"
RECEIVER_DEFECT = "receiver defect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a receiver is given. `connect` makes a kombu connection that is not yet open."""

    connect: Callable[[], driver.Connection]
    exchange: str
    buffer: Buffer
    gaps: Gaps
    broker: Availability
    metrics: Metrics
    backoff: Backoff
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Receiver(threading.Thread, abc.ABC):
    """Lives from `start()` to `pause()`; where there are receipts, it goes on sending them until `finish()`.

    `paused` is set when no further message will be put into the buffer.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(name="flower-receiver", daemon=True)
        self._around = surroundings
        self._pausing = threading.Event()
        self._finishing = threading.Event()
        self.paused = threading.Event()

    @property
    @abc.abstractmethod
    def promise(self) -> str:
        """What may be promised of the events that come this way."""

    @property
    def answered(self) -> bool | None:
        """Whether the broker answers; None while it has neither answered nor failed."""
        return self._around.broker.answers

    @abc.abstractmethod
    def _receive(self, connection: driver.Connection) -> None:
        """Receive until `pause()` or `finish()`, or raise an error of the connection."""

    def pause(self) -> None:
        """Ask for no further messages. May be called twice."""
        self._pausing.set()

    def finish(self) -> None:
        """Send the last receipts and end. May be called twice."""
        self._pausing.set()
        self._finishing.set()

    def run(self) -> None:
        """Receive, and connect again, until the end."""
        while not self._pausing.is_set():
            self._once()
        self.paused.set()
        log.info(RECEIVING_ENDED)

    def _once(self) -> None:
        connection = self._around.connect()
        try:
            _open(connection)
            self._receive(connection)
        except Exception as error:  # what a broker's driver may raise is not ours to list; the thread must live
            if not isinstance(error, (*connection.connection_errors, *connection.channel_errors, OSError)):
                log.exception(RECEIVER_DEFECT)
            self._lost(error)
        finally:
            connections.close(connection)

    def _answered(self) -> None:
        self._around.backoff.succeeded()
        if self._around.broker.answered():
            log.info(RECEIVING, promise=self.promise)

    def _lost(self, error: Exception) -> None:
        """Count and wait; the first failure of a run is told."""
        if self._pausing.is_set():
            return
        self._around.metrics.reconnects.inc()
        if self._around.broker.failed():
            log.warning(BROKER_LOST, error=f"{type(error).__name__}: {error}")
        self._pausing.wait(self._around.backoff.failed())


def _open(connection: driver.Connection) -> None:
    """Try each broker of a list ("amqp://a;amqp://b") once; the waiting between attempts is ours."""
    connection.ensure_connection(
        max_retries=max(0, len(connection.alt) - 1),
        interval_start=0,
        interval_step=0,
        reraise_as_library_errors=False,
    )
