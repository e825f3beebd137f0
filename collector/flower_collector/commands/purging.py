"""Emptying a queue: only what was seen by whoever asked, so that a queue that has filled up since stays as it is."""

from typing import Protocol, cast

from flower_collector import driver
from flower_collector.queues import rabbitmq
from flower_collector.queues.other import Other
from flower_collector.queues.redis import Redis
from flower_store.claims import Claim
from flower_store.queue_samples import QueueSample


class Changed(Exception):
    """The queue is not what the asker saw; nothing was deleted."""


class _Purging(Protocol):
    """Every channel of kombu's and py-amqp's."""

    def queue_purge(self, queue: str) -> int | None:
        """Delete what waits, of every priority; returns how many."""
        ...


def purge(claim: Claim, opened: tuple[driver.Connection, driver.AmqpChannel], *, kind: str) -> dict[str, object]:
    """Delete what waits in the queue, and say how many messages that were; what workers have taken stays theirs.

    What arrives between the look and the deletion, milliseconds, goes with it. Raises Changed, Unsupported, and
    ValueError where the broker does not permit it.
    """
    connection, channel = opened
    name, most = str(claim.target["queue"]), int(cast("int", claim.arguments["messages"]))
    try:
        waiting = _waiting(connection, name, kind)
        if waiting > most:
            raise Changed(f"{waiting} messages wait in the queue, more than the {most} that were seen")
        purged = cast("_Purging", channel).queue_purge(queue=name)
    except connection.channel_errors as error:
        raise ValueError(str(error)) from error
    return {"queue": name, "purged": purged or 0}


def _waiting(connection: driver.Connection, name: str, kind: str) -> int:
    found = _sample(connection, name, kind)
    if not found or found[0].ready is None:
        raise Changed("the broker has no such queue, or it cannot be told how many messages wait there")
    return found[0].ready


def _sample(connection: driver.Connection, name: str, kind: str) -> list[QueueSample]:
    match kind:
        case "amqp":  # not by the management API, whose counts are seconds old
            return rabbitmq.declared(connection, [name])
        case "redis":
            return list(Redis().sample(connection, [name]))
        case _:
            return list(Other().sample(connection, [name]))
