"""A buffer that goes on on disk: memory first, then the spool, then memory again for what the disk has not taken yet.

Threads meet here and none waits for the disk but the spooler (`spooler.py`): the receiver puts, the opening
thread takes, a writing one sends receipts, the spooler moves messages to the disk and back.

    receiver ─▶ head ─────────────────────▶ opening thread     while the head has room
    receiver ─▶ tail ─▶ spool ─▶ head ────▶ opening thread     from when it has none until spool and tail are empty

A message that was taken is held until its receipt: a stop must still be able to save it.
"""

import threading
from collections import deque
from collections.abc import Iterable

from flower_collector.buffer import Buffer
from flower_collector.losing import Loss
from flower_collector.message import Message, Origin


class SpooledBuffer(Buffer):
    """Head and tail have half of the memory each. It is the origin of its messages, and their tags are their places.

    What another receiver puts, whose broker still has it, passes through the head alone and is never for the disk.
    """

    waits = True

    def __init__(self, *, messages: int, size: int, first: int, spooled: bool) -> None:
        """`first` is the first place that is free; `spooled` says whether older messages wait on disk."""
        super().__init__(messages=max(1, messages // 2), size=max(1, size // 2), first=first)
        self._tail: deque[Message] = deque()
        self._tail_bytes = 0
        self._spooling = threading.Event()
        if spooled:
            self._spooling.set()
        self._taken: deque[Message] = deque()
        self._committed = -1
        self._abandoned = False

    def __len__(self) -> int:
        return len(self._messages) + len(self._tail)

    @property
    def size(self) -> int:
        """Bytes of the bodies held."""
        return self._bytes + self._tail_bytes

    @property
    def origin(self) -> Origin:
        """This: receipts tell what need not be saved any more."""
        return self

    def give_up(self) -> Loss | None:
        """Nothing: the spooler saves it, and tells what it cannot."""
        return None

    def done(self, tag: int) -> None:
        """Everything up to this place is in the database."""
        self._forgotten.done(tag)
        with self._changed:
            self._committed = max(self._committed, tag)
            while self._taken and self._taken[0].tag <= self._committed:
                self._taken.popleft()

    def put_over(self, message: Message) -> None:
        """Add a message: to the head while that has room and nothing older waits behind it, else for the disk.

        Where the disk takes nothing, the oldest of those that wait for it are dropped.
        """
        with self._changed:
            if not self._spooling.is_set() and self._room():
                self._append(message)
                return
            self._tail.append(message)
            self._tail_bytes += len(message.body)
            while len(self._tail) > 1 and self._past(len(self._tail), self._tail_bytes):
                self._lose(self._pop_tail())
            self._spooling.set()

    def take(self, timeout: float | None) -> Message | None:
        """The oldest message; None when none came in time (seconds), or when nothing more will come."""
        with self._changed:
            if not self._messages and not self._ended:
                self._changed.wait(timeout)
            if not self._messages:
                return None
            message = self._pop()
            if message.origin is self:
                self._taken.append(message)
            return message

    @property
    def drained(self) -> bool:
        """Closed, with nothing in memory or on disk; or given up."""
        with self._changed:
            return self._ended

    def abandon(self) -> None:
        """No time is left: what is here is for the disk. May be called twice."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()
            self._spooling.set()

    @property
    def committed(self) -> int:
        """The place up to which everything is in the database."""
        return self._committed

    def await_spooling(self, timeout: float) -> bool:
        """Wait (seconds) until messages go by the disk; whether they do."""
        return self._spooling.wait(timeout)

    def for_disk(self, size: int) -> list[Message]:
        """The oldest of those that wait for the disk, up to about so many bytes."""
        chunk: list[Message] = []
        with self._changed:
            while self._tail and size > 0:
                chunk.append(self._pop_tail())
                size -= len(chunk[-1].body)
        return chunk

    def saved(self, chunk: list[Message]) -> None:
        """The disk has them: they outlive this process."""
        for message in chunk:
            self._forgotten.release(message.tag)

    def put_back(self, chunk: list[Message]) -> None:
        """The disk did not take them."""
        with self._changed:
            self._tail.extendleft(reversed(chunk))
            self._tail_bytes += sum(len(one.body) for one in chunk)

    def wanted(self) -> int:
        """For how many messages from the disk the head has room, and in bytes for a chunk at least."""
        with self._changed:
            return self._most_messages - len(self._messages) if self._room() and not self._abandoned else 0

    def refill(self, messages: Iterable[Message]) -> None:
        """The next messages, back from the disk."""
        with self._changed:
            for message in messages:
                self._append(message)
            self._changed.notify_all()

    def disk_is_empty(self) -> None:
        """Nothing waits on disk, nor is on its way there: the tail follows the head, as far as there is room."""
        with self._changed:
            while self._tail and self._room():
                self._append(self._pop_tail())
            if not self._tail:
                self._spooling.clear()
            self._changed.notify_all()

    def unsaved(self) -> list[Message]:
        """Everything that is not known to be in the database, in order. Asked when all others have ended."""
        with self._changed:
            return [one for one in (*self._taken, *self._messages, *self._tail) if one.origin is self]

    @property
    def _ended(self) -> bool:
        return self._abandoned or (self._closed and not self._messages and not self._spooling.is_set())

    def _room(self) -> bool:
        return not self.is_full()

    def _lose(self, message: Message) -> None:
        self._forgotten.release(message.tag)
        self._losing.lose(message.body, message.received_at)

    def _past(self, messages: int, size: int) -> bool:
        return messages > self._most_messages or size > self._most_bytes

    def _pop_tail(self) -> Message:
        message = self._tail.popleft()
        self._tail_bytes -= len(message.body)
        return message
