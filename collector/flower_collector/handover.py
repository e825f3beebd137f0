"""The place between the thread that fills batches and the one that writes them: it holds one.

While the database works on a batch the next one is opened, and a third waits at most: memory stays bounded.
"""

import threading

from flower_collector.batcher import Batch


class Handover:
    """One gives, one takes, in the order of the stream."""

    def __init__(self) -> None:
        self._batch: Batch | None = None
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
        """The next batch, as soon as there is one; None when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._batch is not None or self._closed)
            batch, self._batch = self._batch, None
            self._changed.notify_all()
            return batch

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
