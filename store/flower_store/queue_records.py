"""What the store gives out of queues."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRecord:
    """A queue as the broker last told of it, None where it did not; `workers` that live say that they consume it.

    `at` is None where it was not sampled for long; `recent` is whether it tells of now.
    """

    id: int
    name: str
    at: datetime | None
    messages: int | None
    ready: int | None
    unacked: int | None
    consumers: int | None
    oldest_at: datetime | None
    recent: bool
    workers: Sequence[str]

    @property
    def waiting(self) -> int | None:
        """Messages that wait; where the broker does not tell them apart, with those that were given out."""
        return self.messages if self.ready is None else self.ready

    @property
    def oldest_age(self) -> timedelta | None:
        """For how long the oldest message had waited; None where that is not known. Two clocks may differ."""
        if self.at is None or self.oldest_at is None:
            return None
        return max(self.at - self.oldest_at, timedelta(0))

    @property
    def abandoned(self) -> bool | None:
        """Whether messages wait and nobody consumes; None where that is not known."""
        if not self.recent or self.waiting is None:
            return None
        return self.waiting > 0 and not (self.workers if self.consumers is None else self.consumers)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePoint:
    """A queue in one step, which begins `at`: as last sampled in it, and the extremes of all its samples."""

    at: datetime
    messages: int | None
    ready: int | None
    unacked: int | None
    consumers: int | None
    most_waiting: int | None
    fewest_consumers: int | None
    longest_wait: timedelta | None
