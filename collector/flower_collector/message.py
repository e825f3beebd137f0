"""One message as a receiver took it from the broker: bytes and the few properties that the gate asks for."""

import threading
from collections import OrderedDict
from datetime import datetime
from typing import Protocol

import msgspec

from flower_store.reasons import Reason


class Origin(Protocol):
    """Where messages came from and where their receipts go. Called from the writing threads, one at a time."""

    @property
    def waits(self) -> bool:
        """Whether the messages are still this process's to write; False once they were given back."""
        ...

    def done(self, tag: int) -> None:
        """Everything up to this tag is committed."""


class Message(msgspec.Struct, frozen=True):
    """`tag` rises within one origin. `fault` is set where not even the envelope could be read."""

    body: bytes
    content_type: str
    content_encoding: str
    compression: str
    routing_key: str
    received_at: datetime
    origin: Origin
    tag: int = 0
    fault: Reason | None = None

    @property
    def forgotten(self) -> bool:
        """Whether its broker does not have it any more."""
        return isinstance(self.origin, Unacknowledged)


class Unacknowledged:
    """The origin of messages that the broker forgets as it hands them over: they wait here as long as it takes.

    It knows which of them are nowhere but in memory, and would be lost with this process. Any thread may ask.
    """

    waits = True

    def __init__(self, first: int = 0) -> None:
        self._next = first
        self._lock = threading.Lock()
        # Ordered by place. A plain dict takes ever longer to find its first key when its first keys are what goes.
        self._held: OrderedDict[int, datetime] = OrderedDict()

    def place(self, since: datetime) -> int:
        """The tag of the next message, which was sent at this time at the earliest."""
        with self._lock:
            place, self._next = self._next, self._next + 1
            self._held[place] = since
            return place

    def done(self, tag: int) -> None:
        """Everything up to this tag is committed."""
        with self._lock:
            while self._held and next(iter(self._held)) <= tag:
                self._held.popitem(last=False)

    def release(self, tag: int) -> None:
        """This one is on disk, or its loss is told."""
        with self._lock:
            self._held.pop(tag, None)

    def release_all(self) -> None:
        """The loss of all of them is told."""
        with self._lock:
            self._held.clear()

    @property
    def since(self) -> datetime | None:
        """When the oldest of those in memory was sent at the earliest; None while there is none."""
        with self._lock:
            return next(iter(self._held.values()), None)

    def __len__(self) -> int:
        return len(self._held)
