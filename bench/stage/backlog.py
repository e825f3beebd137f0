"""A backlog: our own queue, declared as the collector declares it, full of events that nobody has read."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import kombu
from tests.services.rabbitmq import RabbitMQ

from bench.load import wire
from bench.load.sender import Sender, Sent
from bench.load.traffic import Traffic
from bench.stage import ours, servers
from flower_collector import driver
from flower_collector.receivers.queue import EventQueue
from flower_collector.settings import CollectorSettings

QUEUE = f"flower.{ours.CLUSTER}"
_kombu: Any = kombu  # it ships no types


@dataclass(frozen=True, slots=True)
class Backlog:
    """Where it lies, and what it holds."""

    url: str
    sent: Sent


def declare(url: str) -> None:
    """Make the queue, so that what is published from now on waits in it."""
    settings = CollectorSettings(broker=url, cluster=ours.CLUSTER)
    queue = EventQueue(
        name=QUEUE,
        exchange=wire.EXCHANGE,
        max_bytes=settings.queue_max_bytes,
        max_length=settings.queue_max_length,
        ttl=settings.queue_ttl,
    )
    with _kombu.Connection(url) as connection:
        connection.connect()
        queue.open(cast("driver.Connection", connection.connection))


@contextmanager
def filled(node: RabbitMQ, traffic: Traffic) -> Generator[Backlog]:
    """On a virtual host of its own, gone at the end."""
    with servers.vhost(node) as url:
        declare(url)
        yield Backlog(url, Sender(url, traffic).send())
