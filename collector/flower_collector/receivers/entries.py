"""Entries of a Redis stream, out of what redis-py makes of RESP 2 or RESP 3. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Fields = Mapping[bytes, bytes]

_LAST_NUMBER = 2**64 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """`id` is milliseconds of Redis's clock and a number, with a hyphen between. `fields` are a stranger's."""

    id: bytes
    fields: Fields


def of_streams(answer: object) -> list[Entry]:
    """From XREADGROUP of one stream: a list of pairs, a mapping, or nothing."""
    streams = dict(answer) if isinstance(answer, list) else answer
    if not isinstance(streams, Mapping):
        return []
    return [entry for found in streams.values() for entry in of_list(found)]


def of_list(answer: object) -> list[Entry]:
    """From XCLAIM, and a part of XREADGROUP; entries that are deleted are left out."""
    if not isinstance(answer, Iterable):
        return []
    found: list[Entry] = []
    for one in answer:
        if isinstance(one, list):  # RESP 3 before redis-py 8 has one list more
            found += of_list(one)
        elif isinstance(one, tuple) and isinstance(one[0], bytes) and isinstance(one[1], dict):
            found.append(Entry(one[0], one[1]))
    return found


def identity(value: object) -> bytes:
    """An id or a name as bytes; raises TypeError."""
    if not isinstance(value, bytes):
        raise TypeError(f"{value!r} is no id")
    return value


def order(entry: bytes) -> tuple[int, int]:
    """What ids are compared by."""
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number or 0)


def before(entry: bytes) -> bytes:
    """The id right before this one, which itself may be nobody's."""
    milliseconds, number = order(entry)
    if number:
        return f"{milliseconds}-{number - 1}".encode()
    return f"{milliseconds - 1}-{_LAST_NUMBER}".encode() if milliseconds else b"0-0"


def moment(entry: bytes) -> datetime:
    """When it was added, by Redis's clock; a stranger's id may be no time."""
    try:
        return _EPOCH + timedelta(milliseconds=order(entry)[0])
    except OverflowError:
        return _EPOCH
