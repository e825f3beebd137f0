"""How many events a message holds, and when they happened, for what is dropped unread. Pure, and never raises."""

import json
from collections.abc import Sequence

import msgspec

from flower_collector import probe

Moment = float | None
"""Seconds since 1970 by the sender's clock; None where it tells none."""


class _Stamp(msgspec.Struct, frozen=True):
    """Both are a stranger's, and of any type: one odd event must not hide its neighbours."""

    type: object = None
    timestamp: object = None


_stamps = msgspec.json.Decoder(list[_Stamp] | _Stamp)


def of(body: bytes) -> Sequence[Moment]:
    """The time of each event. Our own probes are none; a message that cannot be read counts as one."""
    try:
        found = _stamps.decode(body)
    except (ValueError, RecursionError):
        return _of_odd(body)
    stamps = found if isinstance(found, list) else [found]
    return [_moment(one.timestamp) for one in stamps if one.type != probe.TYPE]


def events(body: bytes) -> int:
    """How many events these bytes hold."""
    return len(of(body))


def _of_odd(body: bytes) -> Sequence[Moment]:
    """Elements that are no objects, and NaN as Python writes it."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return [None]
    elements = found if isinstance(found, list) else [found]
    objects = [one if isinstance(one, dict) else {} for one in elements]
    return [_moment(one.get("timestamp")) for one in objects if one.get("type") != probe.TYPE]


def _moment(value: object) -> Moment:
    return float(value) if isinstance(value, float) or (type(value) is int and abs(value) < 2**62) else None
