"""Every other transport of kombu's: how many messages a channel says a queue has, where it can say it."""

from collections.abc import Callable, Collection, Sequence
from typing import cast

from kombu.transport import virtual

from flower_collector import driver
from flower_collector.queues.way import Unsupported
from flower_store.queue_samples import QueueSample

_NO_SIZE: object = getattr(virtual.Channel, "_size", None)
"""What a transport without sizes inherits: it says 0 of every queue."""


class Other:
    """By `_size`, which is what kombu's own declaring asks; declaring itself would make the queue on some."""

    def sample(self, connection: driver.Connection, names: Collection[str]) -> Sequence[QueueSample]:
        """Those that exist. Raises Unsupported where the transport has no sizes."""
        with connection.channel() as channel:
            size = cast("Callable[[str], object] | None", getattr(channel, "_size", None))
            if size is None or getattr(type(channel), "_size", None) is _NO_SIZE:
                raise Unsupported("this transport does not tell how full its queues are")
            return [sample for name in names if (sample := _queue(size, name)) is not None]


def _queue(size: Callable[[str], object], name: str) -> QueueSample | None:
    try:
        ready = size(name)
    except NotImplementedError as error:
        raise Unsupported("this transport does not tell how full its queues are") from error
    return QueueSample(name=name, ready=ready) if isinstance(ready, int) else None
