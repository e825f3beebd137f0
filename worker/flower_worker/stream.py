"""The capped Redis stream: what is appended to it, over whose connection, and what becomes of a failure.

An entry is one event, in the very bytes in which it is published, by which the collector knows the two for one. The
connection is that of the channel which has just published it. Nothing here ever raises into the user's program.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from contextlib import suppress
from typing import Any, Dict, Iterator, Union

from kombu.serialization import dumps

log = logging.getLogger(__name__)

DEFAULT_MAX_LENGTH = 250_000
"""Events, of 415 bytes each: about 100 MB of the broker's memory, and four minutes without any collector at 1,000
events a second. The stream stays that long, read or not; only Redis's memory speaks against more."""

KEPT = 1_000
"""Events that could not be appended and are tried again, before the next one. They are lost with the process."""

AGAIN_AFTER = 1.0
"""Seconds between two attempts while they fail. One at each event took a third of a worker's tasks a second."""

KEPT_SIZE = 16 * 1024
"""Bytes of the largest event that is kept so: with the number above, at most 16 MB."""

Entry = Dict[str, Union[str, bytes]]

_serialised: Any = dumps  # kombu ships no types


class Stream:
    """One a process. `appended` and `dropped` count events since it began, `failures` attempts; while it fails, the
    next is due at `again_at` (`time.monotonic`)."""

    def __init__(self, conf: Any) -> None:
        """`conf` is the app's: `flower_stream` names the key, `flower_stream_max_length` bounds it."""
        self.key = str(conf.get("flower_stream") or default_key(conf.event_exchange))
        self.max_length = _length(conf.get("flower_stream_max_length"))
        self.appended = 0
        self.failures = 0
        self.dropped = 0
        self._failing = False
        self.again_at = 0.0
        # A lock could be held by another thread when the pool forks; a deque needs none.
        self._waiting: deque[Entry] = deque()

    def append(self, event: Any, producer: Any, *, routing_key: str, serializer: Any) -> None:
        """Append an event, or each of a list, that this producer has published; on other brokers do nothing."""
        try:
            if producer.connection.transport.driver_type != "redis":
                return
            entries = list(_entries(event, routing_key, serializer))
            if self._failing and time.monotonic() < self.again_at:
                self._keep_until_then(entries)
                return
            self._waiting.extend(entries)
            self._send(producer.channel)
            self._succeeded()
        except Exception as error:  # noqa: BLE001  # a monitor must not break what it watches
            self._failed(error)

    def _send(self, channel: Any) -> None:
        """What waits, in one exchange with the server; while it fails, one event, so that a failure stays cheap."""
        entries = _taken(self._waiting, len(self._waiting))
        tried, rest = (entries[:1], entries[1:]) if self._failing else (entries, [])
        # kombu puts the prefix before the keys of the commands that it uses itself, and these are others.
        key = str(getattr(channel, "global_keyprefix", "") or "") + self.key
        try:
            with channel.conn_or_acquire() as client, client.pipeline(transaction=False) as pipeline:
                for entry in tried:
                    pipeline.xadd(key, entry, maxlen=self.max_length, approximate=True)
                answers = pipeline.execute(raise_on_error=False)
        except Exception:
            self._keep(entries)
            raise
        refused = [answer for answer in answers if isinstance(answer, Exception)]
        self.appended += len(tried) - len(refused)
        self._keep([entry for entry, answer in zip(tried, answers) if isinstance(answer, Exception)] + rest)
        if refused:
            raise refused[0]

    def _keep_until_then(self, entries: list[Entry]) -> None:
        """As `_keep`, without touching those that wait already."""
        small = [entry for entry in entries if len(entry["body"]) <= KEPT_SIZE]
        self._waiting.extend(small)
        over = _taken(self._waiting, len(self._waiting) - KEPT)
        self.dropped += len(entries) - len(small) + len(over)

    def _keep(self, entries: list[Entry]) -> None:
        small = [entry for entry in entries if len(entry["body"]) <= KEPT_SIZE][-KEPT:]
        self.dropped += len(entries) - len(small)
        self._waiting.extendleft(reversed(small))

    def _succeeded(self) -> None:
        if self._failing:
            self._failing = False
            log.warning("Flower: events are appended to %s again (%s failures, %s dropped)",
                        self.key, self.failures, self.dropped)  # fmt: skip

    def _failed(self, error: Exception) -> None:
        """Count it; the first failure of a run is told."""
        self.failures += 1
        self.again_at = time.monotonic() + AGAIN_AFTER
        if not self._failing:
            self._failing = True
            log.warning("Flower: events are published but not appended to %s: %s: %s",
                        self.key, type(error).__name__, error)  # fmt: skip


def default_key(exchange: str) -> str:
    """As the exchange tells apart the clusters that share a Redis database; a `global_keyprefix` comes before it."""
    return f"flower.{exchange}"


def _length(value: Any) -> int:
    """As it is set; the default for what is no length."""
    try:
        length = int(value or DEFAULT_MAX_LENGTH)
    except (TypeError, ValueError):
        length = 0
    if length > 0:
        return length
    log.warning("Flower: flower_stream_max_length is %r, which is no length: taking %s", value, DEFAULT_MAX_LENGTH)
    return DEFAULT_MAX_LENGTH


def _entries(event: Any, routing_key: str, serializer: Any) -> Iterator[Entry]:
    """One for each event, so that what the cap trims can be counted in events."""
    for one in event if isinstance(event, list) else [event]:
        content_type, content_encoding, body = _dumped(one, serializer)
        yield {
            "body": body,
            "content-type": content_type,
            "content-encoding": content_encoding,
            "routing-key": routing_key,
        }


def _dumped(event: Any, serializer: Any) -> tuple[str, str, bytes]:
    """As the producer does it."""
    content_type, content_encoding, body = _serialised(event, serializer=serializer)
    return content_type, content_encoding, body.encode("utf-8") if isinstance(body, str) else body


def _taken(waiting: deque[Entry], number: int) -> list[Entry]:
    """So many of those that wait; another thread may take the last one between a look and the taking."""
    entries: list[Entry] = []
    with suppress(IndexError):
        while len(entries) < number:
            entries.append(waiting.popleft())
    return entries
