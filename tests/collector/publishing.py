"""Events put on a broker as workers do, and garbage as they do not."""

import json
import time
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import kombu
from celery.events.event import get_exchange
from tests.collector.messages import fields

TASKS = [str(UUID(int=number)) for number in range(1, 100_001)]


_kombu: Any = kombu  # it ships no types


class Publisher:
    """An open connection to a broker; its messages are transient, as Celery's events are."""

    def __init__(self, url: str, *, exchange: str = "celeryev", **transport_options: Any) -> None:
        self._connection: Any = _kombu.Connection(url, transport_options=transport_options)
        self._exchange: Any = get_exchange(self._connection, exchange)
        self._producer: Any = _kombu.Producer(self._connection, self._exchange, auto_declare=False)
        self._exchange(self._connection.default_channel).declare()
        self._clock = 0

    def publish(
        self,
        content: bytes,
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        routing_key: str = "task.multi",
    ) -> None:
        self._producer.publish(
            content,
            content_type=content_type,
            content_encoding="utf-8",
            routing_key=routing_key,
            delivery_mode=1,
            headers=headers,
        )

    def event(self, number: int, kind: str = "task-received", **changed: object) -> None:
        """An event of the task of this number."""
        self.publish(json.dumps(fields(type=kind, uuid=TASKS[number], **changed)).encode())

    def heartbeat(self, hostname: str, *, clock: int) -> None:
        """A worker's heartbeat of now, which workers that gossip read, too."""
        beat = {
            "type": "worker-heartbeat", "hostname": hostname, "timestamp": time.time(), "utcoffset": 0, "pid": 7,
            "clock": clock, "freq": 2.0, "active": 0, "processed": 0, "loadavg": [0.0, 0.0, 0.0],
            "sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux",
        }  # fmt: skip
        self.publish(json.dumps(beat).encode(), routing_key="worker.heartbeat")

    def heartbeats(self, number: int, *, hostname: str = "celery@a") -> None:
        """So many of a worker, each later than the one before."""
        for _ in range(number):
            self._clock += 1
            beat = fields(
                type="worker-heartbeat", hostname=hostname, clock=self._clock, freq=2.0, active=0, processed=0
            )
            self.publish(json.dumps(beat).encode(), routing_key="worker.heartbeat")

    def events(self, *numbers: int) -> None:
        for number in numbers:
            self.event(number)

    def waiting(self, queue: str) -> int:
        """Messages ready in a queue, by the broker's own word at this moment."""
        with self._connection.channel() as channel:
            count: int = channel.queue_declare(queue=queue, passive=True).message_count
            return count

    def channel(self) -> Any:
        return self._connection.channel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.release()
