"""Redis: the lengths of the lists that kombu keeps (`kombu.transport.redis`), in one or two round trips.

A queue is a list for each step of priority: the steps after the first have `sep` and the step behind the name. What a
worker has taken and not acknowledged is in one hash for all queues.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, cast

import msgspec
import redis
from redis import exceptions

from flower_collector import driver
from flower_store.queue_samples import QueueSample

MOST_UNACKED = 2_000
"""Unacknowledged messages that are read to tell to which queue they belong."""

MOST_BYTES = 4 * 1024**2
"""Bytes that they may have, as Redis estimates them."""


class Channel(Protocol):
    """What a channel of kombu's says of its keys."""

    global_keyprefix: str
    priority_steps: Sequence[int]
    sep: str
    unacked_key: str
    pool: object


class _Pipeline(Protocol):
    # fmt: off
    def llen(self, name: str) -> object: ...
    def lindex(self, name: str, index: int) -> object: ...
    def hlen(self, name: str) -> object: ...
    def memory_usage(self, key: str) -> object: ...
    def execute(self, raise_on_error: bool) -> list[object]: ...
    # fmt: on


class _Client(Protocol):
    def pipeline(self, *, transaction: bool) -> _Pipeline: ...

    def hvals(self, name: str) -> list[bytes]: ...


class _Headers(msgspec.Struct):
    id: str | None = None


class _Waiting(msgspec.Struct):
    headers: _Headers = msgspec.field(default_factory=_Headers)


class Redis:
    """On any way to it that kombu knows, by kombu's own pool: TCP, TLS, a socket, Sentinel."""

    def sample(self, connection: driver.Connection, names: Collection[str]) -> Sequence[QueueSample]:
        """Each of them; a queue that does not exist is an empty one."""
        with connection.channel() as opened:
            channel = cast("Channel", opened)
            return _sample(cast("_Client", client(channel)), channel, list(names))


def client(channel: Channel) -> object:
    """A client of its own on the channel's pool. Not kombu's, which puts the prefix before the keys of the commands it
    uses, and of no others."""
    return redis.Redis(connection_pool=cast("redis.ConnectionPool", channel.pool))


def _sample(asked: _Client, channel: Channel, names: Sequence[str]) -> list[QueueSample]:
    unacked = f"{channel.global_keyprefix}{channel.unacked_key}"
    pipeline = asked.pipeline(transaction=False)
    pipeline.hlen(unacked)
    pipeline.memory_usage(unacked)
    lists = [key for name in names for key in keys(channel, name)]
    for key in lists:
        pipeline.llen(key)
        pipeline.lindex(key, -1)
    # Each answer for itself: a key of another type, or a command that this user may not use, spoils no other queue.
    taken, memory, *told = pipeline.execute(raise_on_error=False)
    lengths, heads = dict(zip(lists, told[::2], strict=True)), dict(zip(lists, told[1::2], strict=True))
    held = _held(asked, unacked, taken, memory, names)
    return [_queue(name, keys(channel, name), lengths, heads, held) for name in names]


def keys(channel: Channel, name: str) -> list[str]:
    """The lists of one queue, in the order in which workers empty them."""
    key = f"{channel.global_keyprefix}{name}"
    return [f"{key}{channel.sep}{step}" if step else key for step in channel.priority_steps]


def _queue(
    name: str,
    keys: Sequence[str],
    lengths: Mapping[str, object],
    heads: Mapping[str, object],
    held: Mapping[str, int] | None,
) -> QueueSample:
    counts = [length for key in keys if isinstance(length := lengths[key], int)]
    ready = sum(counts) if len(counts) == len(keys) else None
    unacked = None if held is None else held.get(name, 0)
    return QueueSample(
        name=name,
        messages=None if ready is None or unacked is None else ready + unacked,
        ready=ready,
        unacked=unacked,
        oldest_task=_oldest([heads[key] for key in keys]),
    )


def _oldest(heads: Sequence[object]) -> str | None:
    """The task at the end of the only list that has one: of several, nobody could say which is the oldest."""
    there = [head for head in heads if isinstance(head, bytes)]
    if len(there) != 1:
        return None
    try:
        return msgspec.json.decode(there[0], type=_Waiting).headers.id or None
    except msgspec.MsgspecError:
        return None


def _held(asked: _Client, key: str, taken: object, memory: object, names: Collection[str]) -> Mapping[str, int] | None:
    """Unacknowledged messages by queue, that is by routing key; None where that cannot be told cheaply."""
    if taken == 0:
        return {}
    if not isinstance(taken, int) or not isinstance(memory, int) or taken > MOST_UNACKED or memory > MOST_BYTES:
        return None
    try:
        found = Counter(_routing_key(value) for value in asked.hvals(key))
    except exceptions.ResponseError:  # not permitted
        return None
    return found if found.keys() <= set(names) else None


def _routing_key(value: bytes) -> str:
    """Of what kombu keeps: the message, its exchange, its routing key; empty where it is something else."""
    try:
        return msgspec.json.decode(value, type=tuple[msgspec.Raw, str, str])[2]
    except msgspec.MsgspecError:
        return ""
