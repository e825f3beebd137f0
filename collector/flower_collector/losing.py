"""Counting what is dropped for want of room, until somebody records it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Loss:
    """Messages that were dropped, the oldest first, and the time from the first to the last of them."""

    messages: int
    started_at: datetime
    ended_at: datetime


class Losing:
    """What was dropped since it was last asked for. Locked by its owner, where that needs it."""

    def __init__(self) -> None:
        self._loss: Loss | None = None

    def lose(self, at: datetime) -> None:
        """One more, received at this time."""
        loss = self._loss or Loss(0, at, at)
        self._loss = Loss(loss.messages + 1, min(loss.started_at, at), max(loss.ended_at, at))

    def take(self) -> Loss | None:
        """All of it, which is then the caller's to record."""
        loss, self._loss = self._loss, None
        return loss
