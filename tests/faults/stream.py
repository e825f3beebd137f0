"""What a busy cluster publishes (`bench.load`), without end, and with a name for each event: its time.

No two events of a stream have the same time in microseconds, so that time names an event, whatever the store makes of
it. The same seed gives the same messages, here and in another process.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.load.traffic import Event, Message, Traffic

NOMINAL = 1_000.0
"""Events a second, by their own times, of a stream that is published as fast as it goes."""
EVENTS_A_TASK = 4.1
ODD = 0.1
"""The share of tasks that are revoked, expire, are rejected, given back, cancelled, or tell of themselves."""
TICK = 4
"""Microseconds between two times: floats of today's seconds are that fine, and no finer."""
_NO_END = 10**12


@dataclass(frozen=True, slots=True)
class Publication:
    """One message: its place in the stream, and when it is due, in seconds after the start."""

    number: int
    due: float
    message: Message


def publications(seed: int, *, began: int, rate: float) -> Iterator[Publication]:
    """Messages without end, `rate` events a second from `began` on (microseconds since the epoch)."""
    start = began / 1_000_000
    traffic = Traffic(tasks=_NO_END, seed=seed, start=start, rate=rate / EVENTS_A_TASK, odd=ODD)
    taken: set[int] = set()
    due = 0.0
    for number, message in enumerate(traffic.messages()):
        named = replace(message, events=tuple(_named(event, taken) for event in message.events))
        due = max(due, *(microseconds(event) / 1_000_000 - start for event in named.events))
        yield Publication(number, due, named)


def at_once(publication: Publication) -> Publication:
    """The same, due from the beginning."""
    return replace(publication, due=0.0)


def microseconds(event: Event) -> int:
    """The time that names the event."""
    timestamp = event["timestamp"]
    assert isinstance(timestamp, float)
    return round(timestamp * 1_000_000)


def _named(event: Event, taken: set[int]) -> Event:
    """The event at its time, or at the next that no other event has."""
    tick = microseconds(event) // TICK
    while tick in taken:
        tick += 1
    taken.add(tick)
    return {**event, "timestamp": tick * TICK / 1_000_000}
