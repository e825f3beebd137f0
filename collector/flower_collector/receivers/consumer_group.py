"""The stream of `flower_worker` as one collector's group reads it: Redis's commands, and what trimming took.

Each entry is one event. The cap trims from the front alone, and so does the arithmetic: a group's `entries-read` is
the place of its last entry among all that were ever added, and a page that begins further on has skipped the rest.
Redis 7 or Valkey (https://redis.io/docs/latest/develop/data-types/streams/).
"""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, cast
from uuid import UUID

from redis import exceptions

from flower_collector.receivers import entries
from flower_collector.receivers.entries import Entry

SILENT_FOR = timedelta(seconds=3)
"""A collector reads or says that it lives every second; one that has not for so long loses its entries to others."""

OLDEST = 7
"""The first Redis whose groups tell how many entries they have read (`entries-read`)."""

GONE_AFTER = timedelta(minutes=1)
"""After that, and without an entry, it is removed from the group."""


class Vanished(Exception):
    """The stream or the group is not there (any more)."""


class TooOld(Exception):
    """The server cannot keep count of what a group has read."""


class Pipeline(Protocol):
    """`redis.client.Pipeline`."""

    # fmt: off
    def xack(self, name: str, groupname: str, *ids: bytes) -> object: ...  # noqa: D102
    def xgroup_setid(self, name: str, groupname: str, id: bytes, entries_read: int | None) -> object: ...  # noqa: A002, D102
    def xinfo_stream(self, name: str) -> object: ...  # noqa: D102
    def xinfo_groups(self, name: str) -> object: ...  # noqa: D102
    def xreadgroup(self, group: str, consumer: str, streams: Mapping[str, str], *, count: int) -> object: ...  # noqa: D102
    def execute(self) -> Sequence[object]: ...  # noqa: D102
    # fmt: on


class Client(Protocol):
    """What we use of `redis.Redis`. kombu's subclass prefixes the keys of the commands that kombu uses, no others."""

    # fmt: off
    def info(self, section: str) -> Mapping[str, object]: ...  # noqa: D102
    def exists(self, name: str) -> int: ...  # noqa: D102
    def pipeline(self, *, transaction: bool) -> Pipeline: ...  # noqa: D102
    def xack(self, name: str, groupname: str, *ids: bytes) -> int: ...  # noqa: D102
    def xclaim(self, name: str, groupname: str, consumername: str, min_idle_time: int, message_ids: Sequence[bytes]) -> object: ...  # noqa: D102, E501
    def xgroup_create(self, name: str, groupname: str, id: str, mkstream: bool, entries_read: int) -> object: ...  # noqa: A002, D102
    def xgroup_delconsumer(self, name: str, groupname: str, consumername: str) -> object: ...  # noqa: D102
    def xgroup_setid(self, name: str, groupname: str, id: bytes, entries_read: int) -> object: ...  # noqa: A002, D102
    def xinfo_consumers(self, name: str, groupname: str) -> Sequence[Mapping[str, object]]: ...  # noqa: D102
    def xinfo_stream(self, name: str) -> Mapping[str, object]: ...  # noqa: D102
    def xpending_range(self, name: str, groupname: str, *, min: str, max: str, count: int, consumername: str) -> Sequence[Mapping[str, object]]: ...  # noqa: A002, D102, E501
    def xread(self, streams: Mapping[str, str], count: int, block: int) -> object: ...  # noqa: D102
    def xreadgroup(self, group: str, consumer: str, streams: Mapping[str, str], *, count: int) -> object: ...  # noqa: D102
    # fmt: on


@dataclass(frozen=True, slots=True)
class Hole:
    """Events that were trimmed before they were read; from when to when, by the clock of Redis. None: not known.

    It is there until it is closed, and found again with the same identity, though it may have grown. It lies behind the
    place at which the group stands, which is to step to `last`; or it is of `ids` that a silent collector held.
    """

    began_at: datetime | None
    ended_at: datetime
    events: int | None
    identity: UUID
    last: bytes = b""
    read: int = 0
    ids: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, the oldest first, and a hole that is to be told before it is closed."""

    entries: Sequence[Entry] = ()
    hole: Hole | None = None


class ConsumerGroup:
    """One consumer of the group, over one connection. Every method raises Vanished, or an error of redis-py."""

    def __init__(self, client: Client, *, key: str, group: str, consumer: str) -> None:
        self._client = client
        self._key = key
        self._group = group
        self._consumer = consumer
        self._last = "0-0"

    def exists(self) -> bool:
        """Whether there is a stream, or anything of its name."""
        return bool(self._client.exists(self._key))

    def check(self) -> None:
        """Raise TooOld where the server is older than Redis 7; Valkey says 7.2 here, whatever it is."""
        try:
            version = str(self._client.info("server").get("redis_version", ""))
        except exceptions.NoPermissionError:
            return  # its commands will tell
        major = version.partition(".")[0]
        if major.isdecimal() and int(major) < OLDEST:
            raise TooOld(
                f"the stream of flower_worker needs Redis {OLDEST} or Valkey, and this server is Redis {version}"
            )

    def create(self) -> bool:
        """Make the group, before the first entry that there is, and the stream; False where it was there."""
        try:
            with _vanishing():
                trimmed = self._look_at_stream().trimmed
        except Vanished:
            trimmed = 0
        try:
            self._client.xgroup_create(self._key, self._group, id="0-0", mkstream=True, entries_read=trimmed)
        except exceptions.ResponseError as error:
            if str(error).startswith("BUSYGROUP"):
                return False
            raise
        return True

    def read(self, count: int) -> Page:
        """The next entries, which are then ours until they are acknowledged; none where there is a hole before them."""
        stream, group, _ = self._look()
        if (hole := self._hole(stream, group)) is not None:
            return Page(hole=hole)
        stream, group, answer = self._look(count)
        self._last = stream.last.decode()
        page = entries.of_streams(answer)
        if self._hole(stream, group) is None:
            return Page(page)
        self._step_back(group, page)  # trimmed between the two looks: the next call finds it
        return Page()

    def close(self, hole: Hole) -> None:
        """Leave this hole behind, which is committed: from now on nothing at Redis tells of it."""
        with _vanishing():
            if hole.ids:
                self._client.xack(self._key, self._group, *hole.ids)
                return
            stream, group, _ = self._look()
            found = self._hole(stream, group)
            if found is not None and found.identity == hole.identity:  # or another collector has closed it
                # Up to Redis 7.2 `entries-read` only counts what was delivered, so it is set right here. If another one
                # reads on meanwhile, that is delivered again, which harms nobody.
                self._client.xgroup_setid(self._key, self._group, hole.last, entries_read=hole.read)

    def wait(self, longest: timedelta) -> None:
        """Until there is something to read."""
        # Outside the group: an entry that came with a blocking read would come without a look at the stream.
        with _vanishing():
            self._client.xread({self._key: self._last}, count=1, block=max(1, round(longest / _MILLISECOND)))

    def acknowledge(self, ids: Sequence[bytes]) -> None:
        """Tell the group that these are done; whoever else holds them, too."""
        with _vanishing():
            self._client.xack(self._key, self._group, *ids)

    def stay(self) -> None:
        """Show the others that we live: up to Redis 7.0 a read that finds nothing does not."""
        with _vanishing():
            self._client.xreadgroup(self._group, self._consumer, {self._key: "0-0"}, count=1)

    def take_over(self, room: int) -> Page:
        """At most so many entries of collectors that are silent; remove those that are gone."""
        with _vanishing():
            silent = [one for one in self._others() if one.idle >= SILENT_FOR]
            for one in silent:
                if one.pending:
                    return self._take_over(one, room)
                if one.idle >= GONE_AFTER:
                    self._client.xgroup_delconsumer(self._key, self._group, one.name)
        return Page()

    def leave(self) -> None:
        """Remove ourselves; what we had not acknowledged would be lost with us."""
        with _vanishing():
            self._client.xgroup_delconsumer(self._key, self._group, self._consumer)

    def _others(self) -> Sequence["_Consumer"]:
        found = [_Consumer.of(one) for one in self._client.xinfo_consumers(self._key, self._group)]
        return [one for one in found if one.name != self._consumer]

    def _take_over(self, other: "_Consumer", room: int) -> Page:
        """XAUTOCLAIM would not ask whose they are: those of a collector that waits for its database are not free."""
        pending = self._client.xpending_range(
            self._key, self._group, min="-", max="+", count=room, consumername=other.name
        )
        ids = [one["message_id"] for one in pending]
        held = [one for one in ids if isinstance(one, bytes)]
        stream = self._look_at_stream()
        gone = [one for one in held if stream.is_before(one)]
        left = [one for one in held if not stream.is_before(one)]
        idle = round(SILENT_FOR / _MILLISECOND)
        claimed = self._client.xclaim(self._key, self._group, self._consumer, idle, left) if left else ()
        return Page(entries.of_list(claimed), self._hole_of(gone) if gone else None)

    def _look_at_stream(self) -> "_Stream":
        return _Stream.of(self._client.xinfo_stream(self._key))

    def _look(self, count: int = 0) -> tuple["_Stream", Mapping[str, object], object]:
        """The stream and the group at one moment, and at the same moment the next entries where any are wanted."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.xinfo_stream(self._key)
        pipeline.xinfo_groups(self._key)
        if count:
            pipeline.xreadgroup(self._group, self._consumer, {self._key: ">"}, count=count)
        with _vanishing():
            stream, groups, *answer = pipeline.execute()
        own = [one for one in cast("Sequence[Mapping[str, object]]", groups) if one["name"] == self._group.encode()]
        if not own:
            raise Vanished(f"no group {self._group} of {self._key}")
        return _Stream.of(cast("Mapping[str, object]", stream)), own[0], answer[0] if answer else None

    def _step_back(self, group: Mapping[str, object], page: Sequence[Entry]) -> None:
        """As if these had not been read: the hole before them lies behind the group else, and a kill would hide it."""
        read = group["entries-read"]
        pipeline = self._client.pipeline(transaction=True)
        pipeline.xgroup_setid(
            self._key,
            self._group,
            entries.identity(group["last-delivered-id"]),
            entries_read=read if isinstance(read, int) else None,
        )
        if page:
            pipeline.xack(self._key, self._group, *(one.id for one in page))
        with _vanishing():
            pipeline.execute()

    def _hole(self, stream: "_Stream", group: Mapping[str, object]) -> Hole | None:
        """What was trimmed after the last entry of the group (XINFO GROUPS)."""
        delivered = entries.identity(group["last-delivered-id"])
        if not stream.is_before(delivered) or delivered == stream.last:
            return None
        read = group["entries-read"]
        events = stream.trimmed - read if isinstance(read, int) else None
        if events == 0:
            return None
        began_at = entries.moment(delivered) if entries.order(delivered) > (0, 0) else None
        return Hole(
            began_at,
            entries.moment(stream.first or stream.last),
            events,
            self._identity(delivered, str(read)),
            last=entries.before(stream.first) if stream.first else stream.last,
            read=stream.trimmed,
        )

    def _hole_of(self, gone: Sequence[bytes]) -> Hole:
        """What was trimmed of the entries that a collector held: the oldest of them, so all begin with the same one."""
        return Hole(
            entries.moment(gone[0]), entries.moment(gone[-1]), len(gone), self._identity(gone[0], "held"), ids=gone
        )

    def _identity(self, entry: bytes, place: str) -> UUID:
        told = f"{self._key} {self._group} {entry.decode()} {place}".encode()
        return UUID(bytes=hashlib.blake2b(told, digest_size=16).digest())


@dataclass(frozen=True, slots=True)
class _Stream:
    first: bytes | None
    last: bytes
    trimmed: int

    @classmethod
    def of(cls, answer: Mapping[str, object]) -> "_Stream":
        """From XINFO STREAM."""
        first = answer["first-entry"]
        return cls(
            first=entries.identity(first[0]) if isinstance(first, tuple | list) else None,
            last=entries.identity(answer["last-generated-id"]),
            trimmed=_number(answer["entries-added"]) - _number(answer["length"]),
        )

    def is_before(self, entry: bytes) -> bool:
        """Whether this entry was trimmed."""
        return self.first is None or entries.order(entry) < entries.order(self.first)


@dataclass(frozen=True, slots=True)
class _Consumer:
    name: str
    pending: int
    idle: timedelta

    @classmethod
    def of(cls, answer: Mapping[str, object]) -> "_Consumer":
        """From XINFO CONSUMERS."""
        name = entries.identity(answer["name"]).decode(errors="replace")
        return cls(name, _number(answer["pending"]), _number(answer["idle"]) * _MILLISECOND)


_MILLISECOND = timedelta(milliseconds=1)
_VANISHED = ("NOGROUP", "no such key")


@contextmanager
def _vanishing() -> Generator[None]:
    try:
        yield
    except exceptions.ResponseError as error:
        if any(words in str(error) for words in _VANISHED):
            raise Vanished(str(error)) from error
        raise


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    return value
