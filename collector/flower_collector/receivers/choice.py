"""Which receiver fits the broker."""

from typing import Protocol, cast

from flower_collector import app, driver
from flower_collector.availability import Availability
from flower_collector.receivers.amqp import AmqpReceiver
from flower_collector.receivers.other import OtherReceiver
from flower_collector.receivers.queue import EventQueue
from flower_collector.receivers.receiver import Receiver, Surroundings
from flower_collector.receivers.redis import RedisReceiver
from flower_collector.settings import CollectorSettings

PREFETCHED_BATCHES = 3
"""One in the database, one that waits for it, one that is being opened."""


class _Described(Protocol):
    """What a kombu connection tells of itself without being opened."""

    transport: "_Transport"

    def as_uri(self) -> str:
        """Its URL without the password."""
        ...


class _Transport(Protocol):
    driver_type: str


def transport(connection: driver.Connection) -> str:
    """The kind of transport: amqp, redis, filesystem, …"""
    return cast("_Described", connection).transport.driver_type


def shown(connection: driver.Connection) -> str:
    """The broker's URL for people, without its password."""
    return cast("_Described", connection).as_uri()


def receiver_for(
    kind: str, around: Surroundings, *, settings: CollectorSettings, cluster: app.App, database: Availability
) -> Receiver:
    """The receiver for a transport of this kind, not yet started."""
    name = app.queue_name(settings, cluster)
    match kind:
        case "amqp":
            return AmqpReceiver(
                around,
                queue=EventQueue(
                    name=name,
                    exchange=around.exchange,
                    max_bytes=settings.queue_max_bytes,
                    max_length=settings.queue_max_length,
                    ttl=settings.queue_ttl,
                ),
                prefetch=min(settings.batch_size * PREFETCHED_BATCHES, _LARGEST_PREFETCH),
                database=database,
                hold_for=settings.hold_for,
            )
        case "redis":
            return RedisReceiver(around)
        case _:
            return OtherReceiver(around, queue_name=name)


_LARGEST_PREFETCH = 65_535
"""AMQP's field has 16 bits."""
