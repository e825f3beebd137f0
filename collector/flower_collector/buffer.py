"""Messages between the receiver's thread and the opening thread, bounded in number and in bytes."""

import threading
from collections import deque
from datetime import datetime

from flower_collector.losing import Losing, Loss
from flower_collector.message import Message, Origin, Unacknowledged


class Buffer:
    """First in, first out. A receiver that can make its broker wait asks `is_full`; one that cannot uses `put_over`."""

    def __init__(self, *, messages: int, size: int, first: int = 0) -> None:
        """`first` is the first place that is free (`place`)."""
        self._most_messages = messages
        self._most_bytes = size
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._losing = Losing()
        self._forgotten = Unacknowledged(first)
        self._closed = False
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._drained = threading.Condition(lock)
        self._awaited = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def size(self) -> int:
        """Bytes of the bodies held."""
        return self._bytes

    @property
    def origin(self) -> Origin:
        """The origin of messages for `put_over`."""
        return self._forgotten

    def place(self, since: datetime) -> int:
        """The tag of the next message of our origin, which was sent at this time at the earliest."""
        return self._forgotten.place(since)

    @property
    def waiting_since(self) -> datetime | None:
        """When the oldest message was sent that would be lost with this process; None where none would be.

        Those count that were taken and have no receipt yet; those do not whose broker still has them.
        """
        return self._forgotten.since

    def give_up(self) -> Loss | None:
        """What is lost with this process, which ends now: from the oldest to the last receipt; asked once."""
        since, number = self._forgotten.since, len(self._forgotten)
        self._forgotten.release_all()
        return None if since is None else Loss(number, number, since, since, at_least=True)

    def is_full(self) -> bool:
        """Whether no further message should be read for now."""
        return len(self._messages) >= self._most_messages or self._bytes >= self._most_bytes

    def wait_below(self, size: int, timeout: float) -> None:
        """Wait until fewer bytes are held than these, and there is room; for so many seconds at most."""
        with self._changed:
            self._awaited = size
            self._drained.wait_for(lambda: self._bytes < size and not self.is_full(), timeout)
            self._awaited = 0

    def put(self, message: Message) -> None:
        """Add a message. Its receiver has asked `is_full`, so the bound is passed by one message at most."""
        with self._changed:
            self._append(message)

    def put_over(self, message: Message) -> None:
        """Add a message, dropping the oldest ones past the bound; see `take_loss`.

        What the broker still has is left: its receiver makes it wait, and a receipt would vouch for what was dropped.
        """
        with self._changed:
            self._append(message)
            while self._over and (oldest := self._oldest_forgotten()) is not None:
                self._drop(oldest)

    def take(self, timeout: float | None) -> Message | None:
        """The oldest message; None when none came in time (seconds), or when closed and empty."""
        with self._changed:
            if not self._messages and not self._closed:
                self._changed.wait(timeout)
            return self._pop() if self._messages else None

    def take_loss(self) -> Loss | None:
        """What was dropped since the last call."""
        with self._changed:
            return self._losing.take()

    def clear(self) -> None:
        """Forget all messages: their broker has them back."""
        with self._changed:
            self._messages.clear()
            self._bytes = 0
            self._drained.notify_all()

    def abandon(self) -> None:
        """No time is left for what is here. May be called twice."""

    def close(self) -> None:
        """Nothing more will be put; `take` no longer waits. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more will be put."""
        with self._changed:
            return self._closed

    @property
    def drained(self) -> bool:
        """Closed and empty."""
        with self._changed:
            return self._closed and not self._messages

    @property
    def _over(self) -> bool:
        return len(self._messages) > self._most_messages or self._bytes > self._most_bytes

    def _append(self, message: Message) -> None:
        self._messages.append(message)
        self._bytes += len(message.body)
        self._changed.notify()

    def _pop(self) -> Message:
        message = self._messages.popleft()
        self._bytes -= len(message.body)
        if self._bytes < self._awaited:
            self._drained.notify_all()
        return message

    def _oldest_forgotten(self) -> int | None:
        """Where it is; never the newest, which alone may be larger than the bound."""
        places = range(len(self._messages) - 1)
        return next((place for place in places if self._messages[place].forgotten), None)

    def _drop(self, place: int) -> None:
        dropped = self._messages[place]
        del self._messages[place]
        self._bytes -= len(dropped.body)
        self._forgotten.release(dropped.tag)
        self._losing.lose(dropped.body, dropped.received_at)
