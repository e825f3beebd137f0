"""Messages between the receiver's thread and the writing thread, bounded in number and in bytes."""

import threading
from collections import deque

from flower_collector.losing import Losing, Loss
from flower_collector.message import Message, Origin, Unacknowledged


class Buffer:
    """First in, first out. A receiver that can make its broker wait asks `is_full`; one that cannot uses `put_over`."""

    def __init__(self, *, messages: int, size: int) -> None:
        self._most_messages = messages
        self._most_bytes = size
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._losing = Losing()
        self._origin: Origin = Unacknowledged()
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def size(self) -> int:
        """Bytes of the bodies held."""
        return self._bytes

    @property
    def origin(self) -> Origin:
        """The origin of messages for `put_over`."""
        return self._origin

    def place(self) -> int:
        """The tag of the next message for `put_over`; here nobody asks for it."""
        return 0

    def is_full(self) -> bool:
        """Whether no further message should be read for now."""
        return len(self._messages) >= self._most_messages or self._bytes >= self._most_bytes

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
        return message

    def _oldest_forgotten(self) -> int | None:
        """Where it is; never the newest, which alone may be larger than the bound."""
        places = range(len(self._messages) - 1)
        return next((place for place in places if self._messages[place].forgotten), None)

    def _drop(self, place: int) -> None:
        dropped = self._messages[place]
        del self._messages[place]
        self._bytes -= len(dropped.body)
        self._losing.lose(dropped.received_at)
