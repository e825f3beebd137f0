"""The place between the thread that fills batches and those that write them: it holds one.

While the database works on a batch for each writer the next one is opened, and another waits at most: memory stays
bounded. Batches may be committed in another order than they came in; their receipts go out in the order of the stream,
for a receipt says "everything up to here".
"""

import threading
from collections import deque

from flower_collector.batcher import Batch


class Handover:
    """One gives, some take, in the order of the stream."""

    def __init__(self) -> None:
        self._batch: Batch | None = None
        self._under_way: deque[Batch] = deque()
        self._closed = False
        self._refused = False
        self._changed = threading.Condition()

    def give(self, batch: Batch) -> bool:
        """Wait for the place and put the batch there; False when nobody will take it any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._batch is None or self._refused)
            if self._refused:
                return False
            self._batch = batch
            self._changed.notify_all()
            return True

    def take(self) -> Batch | None:
        """The next batch, as soon as there is one; None when there will be none. Whoever takes it settles it."""
        with self._changed:
            self._changed.wait_for(lambda: self._batch is not None or self._closed)
            batch, self._batch = self._batch, None
            if batch is not None:
                self._under_way.append(batch)
            self._changed.notify_all()
            return batch

    def settle(self, batch: Batch, *, committed: bool) -> None:
        """It is committed, or was given back to its broker. One that is never settled holds all later receipts back."""
        with self._changed:
            batch.committed = committed
            while self._under_way and (first := self._under_way[0]).committed is not None:
                self._under_way.popleft()
                if first.committed:
                    first.done()

    def close(self) -> None:
        """Nothing more will be given. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def refuse(self) -> None:
        """Nothing more will be taken. May be called twice."""
        with self._changed:
            self._refused = True
            self._changed.notify_all()

    @property
    def drained(self) -> bool:
        """Nothing more will be given, and nothing there is still ours to write."""
        with self._changed:
            return self._closed and (self._batch is None or not self._batch.waits)
