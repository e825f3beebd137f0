"""One message as a receiver took it from the broker: bytes and the few properties that the gate asks for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flower_collector.reasons import Reason


class Origin(Protocol):
    """Where messages came from and where their receipts go. Called from the writing thread."""

    @property
    def waits(self) -> bool:
        """Whether the messages are still this process's to write; False once they were given back."""
        ...

    def done(self, tag: int) -> None:
        """Everything up to this tag is committed."""


@dataclass(frozen=True, slots=True)
class Message:
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
    """The origin of messages that the broker forgets as it hands them over: they wait here as long as it takes."""

    waits = True

    def done(self, tag: int) -> None:
        """Nobody waits for a receipt."""
