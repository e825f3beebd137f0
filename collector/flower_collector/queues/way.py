"""What each kind of broker is asked by."""

from collections.abc import Collection, Sequence
from typing import Protocol

from flower_collector import driver
from flower_store.queue_samples import QueueSample


class Unsupported(Exception):
    """This kind of broker does not tell; asking again does not help."""


class Way(Protocol):
    """Asks one kind of broker."""

    def sample(self, connection: driver.Connection, names: Collection[str]) -> Sequence[QueueSample]:
        """How full these queues are, as far as they exist; `connection` need not be open.

        Raises Unsupported, and what the driver raises.
        """
        ...
