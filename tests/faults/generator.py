"""The process that publishes a stream (`stream.py`) to a broker until SIGTERM, and writes down what the broker took.

`python -m tests.faults.generator URL SEED BEGAN RATE LEDGER`, RATE 0 for as fast as it goes. Each line of the ledger is
a JSON object: how many messages were attempted so far, and which of them the broker never confirmed (they may be there
or not). A message is attempted once.
"""

import itertools
import json
import signal
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import amqp
import kombu
import redis
from kombu import exceptions
from tests.collector import messages
from tests.faults import stream
from tests.faults.stream import Publication

WINDOW = 50
"""Messages that may be unconfirmed at the same time."""
AGAIN_AFTER = 0.1
"""Seconds between two tries to reach a broker that is away."""
_kombu: Any = kombu  # neither ships types
_amqp: Any = amqp
_BROKEN = (OSError, exceptions.OperationalError, _amqp.AMQPError, redis.RedisError)


class Broker(Protocol):
    def connect(self) -> None:
        """Connect unless connected."""

    def send(self, window: Sequence[Publication]) -> Iterator[int]:
        """Publish; gives the number of each message as it is confirmed."""
        ...

    def drop(self) -> None:
        """Forget the connection."""


class RabbitMQ:
    """Transient messages, as Celery's are, with publisher confirms."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None
        self._waiting: dict[int, int] = {}
        self._confirmed: list[int] = []

    def connect(self) -> None:
        if self._connection is not None:
            return
        connection = _kombu.Connection(self._url, connect_timeout=5)
        channel = connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._take_receipt)
        self._producer = _kombu.Producer(channel, _kombu.Exchange("celeryev", type="topic"), auto_declare=False)
        self._connection, self._tags = connection, itertools.count(1)

    def send(self, window: Sequence[Publication]) -> Iterator[int]:
        for publication in window:
            self._waiting[next(self._tags)] = publication.number
            self._publish(publication)
        while self._waiting:
            self._connection.drain_events(timeout=30)
            confirmed, self._confirmed = self._confirmed, []
            yield from confirmed

    def drop(self) -> None:
        connection, self._connection = self._connection, None
        self._waiting.clear()
        self._confirmed.clear()
        if connection is not None:
            connection.collect()

    def _publish(self, publication: Publication) -> None:
        self._producer.publish(
            publication.message.body,
            content_type="application/json",
            content_encoding="utf-8",
            routing_key=publication.message.routing_key,
            delivery_mode=1,
            headers={"hostname": publication.message.hostname},
        )

    def _take_receipt(self, tag: int, multiple: bool) -> None:
        for one in [one for one in self._waiting if one <= tag] if multiple else [tag]:
            self._confirmed.append(self._waiting.pop(one))


class Redis:
    """PUB/SUB in kombu's envelope; confirmed is what at least one subscriber was sent."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)

    def connect(self) -> None:
        self._client.ping()

    def send(self, window: Sequence[Publication]) -> Iterator[int]:
        for publication in window:
            envelope = messages.wrapped(publication.message.body, headers={"hostname": publication.message.hostname})
            properties = {
                "delivery_mode": 1, "priority": 0, "body_encoding": "base64", "delivery_tag": str(uuid.uuid4()),
                "delivery_info": {"exchange": "celeryev", "routing_key": publication.message.routing_key},
            }  # fmt: skip
            text = json.dumps({**envelope, "properties": properties})
            if self._client.publish(f"/0.celeryev/{publication.message.routing_key}", text):
                yield publication.number

    def drop(self) -> None:
        self._client.close()


def publish(broker: Broker, publications: Iterator[Publication], ledger: Path) -> None:
    """Until SIGTERM; the window that is under way is finished."""
    began = time.monotonic()
    with ledger.open("w") as lines:
        while True:
            window = list(itertools.islice(publications, WINDOW))
            # The last one's time: a window is one burst, and bursts come at the rate.
            if _stopped(began + window[-1].due - time.monotonic()) or not _reached(broker):
                return
            unconfirmed = _attempt(broker, window)
            lines.write(json.dumps({"attempted": window[-1].number + 1, "unconfirmed": unconfirmed}) + "\n")
            lines.flush()


def _reached(broker: Broker) -> bool:
    """Wait for the broker; False when SIGTERM came first."""
    while True:
        try:
            broker.connect()
        except _BROKEN:
            broker.drop()
        else:
            return True
        if _stopped(AGAIN_AFTER):
            return False


def _stopped(within: float) -> bool:
    """Whether SIGTERM, which is blocked, comes within so many seconds."""
    return signal.sigtimedwait({signal.SIGTERM}, max(0.0, within)) is not None


def _attempt(broker: Broker, window: Sequence[Publication]) -> list[int]:
    left = {publication.number for publication in window}
    try:
        for number in broker.send(window):
            left.discard(number)
    except _BROKEN:
        broker.drop()
    return sorted(left)


def main(url: str, seed: str, began: str, rate: str, ledger: str) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    broker = RabbitMQ(url) if url.startswith("amqp") else Redis(url)
    publications = stream.publications(int(seed), began=int(began), rate=float(rate) or stream.NOMINAL)
    if not float(rate):
        publications = (stream.at_once(one) for one in publications)
    publish(broker, publications, Path(ledger))


if __name__ == "__main__":
    main(*sys.argv[1:])
