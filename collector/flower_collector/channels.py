"""The names of the Redis channels that events take, taken apart to see which option made them. Pure.

kombu publishes a fanout message on `global_keyprefix` + `fanout_prefix` + exchange, and, unless `fanout_patterns` is
off, "/" and the routing key after it (`kombu.transport.redis`). Its `fanout_prefix` is "/{db}." by default. One of the
user's own has the same form, a slash, no dot but one at the end: workers cannot read another back, and end (5.7).
"""

import re
from dataclasses import dataclass

HEARTBEAT = "/worker.heartbeat"

LONGEST = 200
"""Characters of a stranger's name that are shown."""

_PREFIX = re.compile(r"(?P<key>.*?)(?P<fanout>/[^/.]*\.)?", re.DOTALL)
_OTHER = re.compile(r"(?P<prefix>.*/[^/.]*\.)?(?P<exchange>.+)", re.DOTALL)
_NUMBERED = re.compile(r"/(?P<number>\d+)\.")


@dataclass(frozen=True, slots=True)
class Way:
    """What makes the names of channels; `fanout` is the prefix with its number filled in, empty where it is off."""

    key: str
    fanout: str
    exchange: str

    @property
    def topic(self) -> str:
        """The name that all of its channels begin with."""
        return f"{self.key}{self.fanout}{self.exchange}"

    def differences(self, other: "Way") -> list[str]:
        """What the other has and this one has not, each in words: "global_keyprefix is 'a' there and '' here"."""
        told = []
        if other.key != self.key:
            told.append(_told("global_keyprefix", other.key, self.key))
        if other.fanout != self.fanout:
            told.append(_fanout(other.fanout, self.fanout))
        if other.exchange != self.exchange:
            told.append(_told("event_exchange", other.exchange, self.exchange))
        return told


def topic(channel: str) -> str:
    """The channel's name without the routing key of heartbeats."""
    return channel.removesuffix(HEARTBEAT)


def way(topic: str, *, exchange: str) -> Way:
    """The way that a topic belongs to; `exchange` is ours, which is the other's too unless its name says otherwise."""
    if topic.endswith(exchange):
        return _way(topic.removesuffix(exchange), exchange)
    found = _OTHER.fullmatch(topic)
    return _way(found["prefix"] or "", found["exchange"]) if found else Way("", "", topic)


def _way(prefix: str, exchange: str) -> Way:
    found = _PREFIX.fullmatch(prefix)
    return Way(found["key"], found["fanout"] or "", exchange) if found else Way(prefix, "", exchange)


def _fanout(there: str, here: str) -> str:
    numbers = [_NUMBERED.fullmatch(side) for side in (there, here)]
    if all(numbers):
        return _told("the number of the database", *(found["number"] for found in numbers if found))
    return _told("fanout_prefix", there, here)


def _told(name: str, there: str, here: str) -> str:
    return f"{name} is {_shown(there)} there and {_shown(here)} here"


def _shown(value: str) -> str:
    """Nobody's control characters, and no endless name."""
    return ascii(value[:LONGEST]) if value else "empty or off"
