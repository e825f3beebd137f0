"""RabbitMQ: by its management API where it answers, otherwise by declaring passively over AMQP."""

import ssl
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Protocol, cast

import structlog

from flower_collector import broker_address, driver
from flower_collector.broker_address import Address
from flower_collector.queues import management
from flower_store.queue_samples import QueueSample

log = structlog.get_logger()

API_USED = "queues are asked of the management API"
API_NOT_USED = "queues are asked over AMQP: the management API does not answer"

AGAIN = 60.0
"""Seconds after which a management API that did not answer is tried again."""

MOST_DECLARED = 1_000
"""Queues that are asked for one by one over AMQP: each is a round trip."""

GUEST = "guest"
"""RabbitMQ's first user and its password."""


class _Described(Protocol):
    """What a kombu connection knows of its broker without being open."""

    hostname: str | None
    userid: str | None
    password: object
    virtual_host: str | None
    ssl: object
    transport_cls: object


class _Declared(Protocol):
    message_count: int
    consumer_count: int


class RabbitMQ:
    """`api_url` is the management API's, empty for the default one; queues in `own` are ours, and no task's."""

    def __init__(self, *, api_url: str, own: Collection[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._named = broker_address.parse(api_url) if api_url else None
        self._own = frozenset(own)
        self._clock = clock
        self._next = clock()
        self._used: bool | None = None

    def sample(self, connection: driver.Connection, names: Collection[str]) -> Sequence[QueueSample]:
        """All of the virtual host; without the management API those named, as far as they exist."""
        if self._clock() >= self._next:
            try:
                found = self._managed(connection, names)
            except management.Failed as error:
                self._next = self._clock() + AGAIN
                self._tell(False, str(error))
            else:
                self._tell(True, "")
                return found
        return declared(connection, [name for name in names if name not in self._own][:MOST_DECLARED])

    def _managed(self, connection: driver.Connection, names: Collection[str]) -> list[QueueSample]:
        broker = cast("_Described", connection)
        address = self._named or default(connection)
        user, password = (broker.userid, broker.password) if address.user is None else (address.user, address.password)
        if callable(password):
            password = password()
        found = management.queues(
            address,
            broker.virtual_host or "/",
            login=(user or GUEST, str(password or GUEST)),
            context=_context(broker) if address.secure else None,
        )
        # Queues of workers' own, for events, control and replies, come and go by the thousand.
        return [
            queue.sample
            for queue in found
            if queue.name in names or not (queue.auto_delete or queue.exclusive or queue.name in self._own)
        ]

    def _tell(self, used: bool, reason: str) -> None:
        if used == self._used:
            return
        self._used = used
        if used:
            log.info(API_USED)
        elif self._named:
            log.warning(API_NOT_USED, error=reason)
        else:
            log.info(API_NOT_USED, error=reason)


def default(connection: driver.Connection) -> Address:
    """On the broker's machine; never in clear text where the broker itself is asked by TLS."""
    broker = cast("_Described", connection)
    secure = bool(broker.ssl) or broker.transport_cls == "amqps"
    port = broker_address.HTTPS if secure else broker_address.HTTP
    return Address(host=broker.hostname or "localhost", port=port, secure=secure)


def _context(broker: _Described) -> ssl.SSLContext:
    """Verified by the authorities of Celery's `broker_use_ssl` where it names them, otherwise by the system's."""
    options = cast("dict[str, str]", broker.ssl) if isinstance(broker.ssl, dict) else {}
    try:
        context = ssl.create_default_context(cafile=options.get("ca_certs"))
        if options.get("certfile"):
            context.load_cert_chain(options["certfile"], options.get("keyfile"))
    except OSError as error:  # ssl.SSLError is one
        raise management.Failed(f"certificates of broker_use_ssl: {error}") from error
    return context


def declared(connection: driver.Connection, names: Collection[str]) -> list[QueueSample]:
    """Over AMQP, as of this moment. A queue that is not there, or not for us, is passed over: RabbitMQ closes the
    channel for it, and py-amqp has opened it again by the time it raises."""
    found: list[QueueSample] = []
    with connection.channel() as channel:
        for name in names:
            with suppress(*connection.channel_errors):
                told = cast("_Declared", channel.queue_declare(queue=name, passive=True))
                found.append(QueueSample(name=name, ready=told.message_count, consumers=told.consumer_count))
    return found
