"""Counting what is dropped for want of room, until somebody records it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flower_collector import stamps
from flower_collector.gaps import Gap
from flower_collector.message import Message


@dataclass(frozen=True, slots=True)
class Loss:
    """Messages that were dropped and the events in them, and the time from the first to the last.

    `at_least` says that nobody has looked into all of them: each holds one event or more.
    """

    messages: int
    events: int
    started_at: datetime
    ended_at: datetime
    at_least: bool = False

    def gap(self, reason: str) -> Gap:
        """It as a gap of this reason."""
        return Gap(self.started_at, self.ended_at, reason, count=self.events, at_least=self.at_least)


class Losing:
    """What was dropped since it was last asked for. Locked by its owner, where that needs it."""

    def __init__(self) -> None:
        self._loss: Loss | None = None

    def lose(self, body: bytes, at: datetime) -> None:
        """One message more, received at this time."""
        loss = self._loss or Loss(0, 0, at, at)
        self._loss = Loss(
            loss.messages + 1,
            loss.events + stamps.events(body),
            min(loss.started_at, at),
            max(loss.ended_at, at),
        )

    def take(self) -> Loss | None:
        """All of it, which is then the caller's to record."""
        loss, self._loss = self._loss, None
        return loss


def of(messages: Iterable[Message]) -> Loss | None:
    """The loss of these; None where there are none."""
    losing = Losing()
    for message in messages:
        losing.lose(message.body, message.received_at)
    return losing.take()
