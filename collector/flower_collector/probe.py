"""A message of ours that goes the way of the workers' events: that it comes back proves the way, and measures it.

A well-formed event, because Celery's own receivers read it too, of a group that nobody's handlers know. Its routing
key is none of `task.#` and `worker.#`: a worker that gossips reads the latter, and one bad message there ends it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from flower_collector.reasons import Refused
from flower_store.events import MAX_NAME
from flower_store.reasons import Reason

TYPE = "flower-probe"
ROUTING_KEY = "flower.probe"

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
_Timestamp = Annotated[float, msgspec.Meta(ge=946_684_800, le=253_402_300_799)]  # 2000 to 9999
_Sequence = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class _Body(msgspec.Struct):
    hostname: _Name
    timestamp: _Timestamp
    cluster: _Name
    instance: UUID
    sequence: _Sequence


_bodies = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """`hostname` and `instance` are the sending collector's; `sequence` rises by one with each of its probes."""

    hostname: str
    instance: UUID
    cluster: str
    sequence: int
    sent_at: datetime

    def event(self) -> dict[str, object]:
        """Its body. A clock of 0 tells Celery's receivers nothing, so nobody's clock is moved by us."""
        return {
            "type": TYPE,
            "hostname": self.hostname,
            "timestamp": self.sent_at.timestamp(),
            "clock": 0,
            "utcoffset": 0,
            "pid": 0,
            "cluster": self.cluster,
            "instance": str(self.instance),
            "sequence": self.sequence,
        }


@dataclass(frozen=True, slots=True)
class Echo:
    """A probe, any collector's, as it came back."""

    probe: Probe
    received_at: datetime

    @property
    def delay(self) -> timedelta:
        """From sender to receiver; never negative, though two machines' clocks may differ."""
        return max(self.received_at - self.probe.sent_at, timedelta(0))


class Echoes:
    """Hands each echo to whoever waits for one. Heard in the opening thread, so a listener must not block."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Echo], None]] = []

    def listen(self, listener: Callable[[Echo], None]) -> None:
        """Call this with each echo from now on."""
        with self._lock:
            self._listeners.append(listener)

    def heard(self, echo: Echo) -> None:
        """Tell all who listen."""
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(echo)


def parse(raw: bytes, *, received_at: datetime) -> Echo:
    """The probe in these bytes, which anybody may have written; raises Refused."""
    try:
        body = _bodies.decode(raw)
    except (ValueError, RecursionError):
        raise Refused(Reason.WRONG_FIELD, f"not a {TYPE} as collectors send it") from None
    probe = Probe(
        hostname=body.hostname,
        instance=body.instance,
        cluster=body.cluster,
        sequence=body.sequence,
        sent_at=datetime.fromtimestamp(body.timestamp, UTC),
    )
    return Echo(probe, received_at)
