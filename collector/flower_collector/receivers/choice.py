"""Which receiver fits the broker."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, cast

from flower_collector import app, driver
from flower_collector.availability import Availability
from flower_collector.receivers.amqp import AmqpReceiver
from flower_collector.receivers.other import OtherReceiver
from flower_collector.receivers.queue import EventQueue
from flower_collector.receivers.receiver import Receiver, Surroundings
from flower_collector.receivers.redis import RedisReceiver
from flower_collector.receivers.stream import StreamReceiver
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


def receivers_for(
    kind: str, around: Surroundings, *, settings: CollectorSettings, cluster: app.App, database: Availability
) -> Sequence[Receiver]:
    """The receivers for a transport of this kind, not yet started; the last one knows what may be promised."""
    if kind != "redis":
        return (_receiver_for(kind, around, settings=settings, cluster=cluster, database=database),)
    mode = settings.redis_mode
    if mode == "pubsub":
        return (RedisReceiver(around),)
    stream = StreamReceiver(
        # Each of two says on its own whether the broker answers it.
        replace(around, broker=Availability(time.monotonic)) if mode == "auto" else around,
        key=app.stream_key(settings, cluster),
        group=app.queue_name(settings, cluster),
        window=settings.batch_size * PREFETCHED_BATCHES,
        waits=mode == "auto",
        database=database,
        hold_for=settings.hold_for,
    )
    # Both, because some workers may not have the add-on; what comes both ways is one event to the store.
    return (RedisReceiver(around, kept=stream.kept), stream) if mode == "auto" else (stream,)


def _receiver_for(
    kind: str, around: Surroundings, *, settings: CollectorSettings, cluster: app.App, database: Availability
) -> Receiver:
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
        case _:
            return OtherReceiver(around, queue_name=name)


_LARGEST_PREFETCH = 65_535
"""AMQP's field has 16 bits."""
