"""Celery's dispatcher, behind whose back each published event is appended to the stream, too."""

from typing import Any

from celery.events.dispatcher import EventDispatcher

from flower_worker.stream import Stream


class Dispatcher(EventDispatcher):  # type: ignore[misc]  # Celery ships no types
    """What others see is as without it: published first, by the same producer, in the same words."""

    app: Any

    def _publish(self, event: Any, producer: Any, routing_key: str, *args: Any, **options: Any) -> None:
        """The one way out for every event: of a worker, of a client, alone or as a list (`task.multi`)."""
        both = producer and _Both(producer, self.app.events.stream)
        super()._publish(event, both, routing_key, *args, **options)


class _Both:
    """A producer that publishes and then appends."""

    def __init__(self, producer: Any, stream: Stream) -> None:
        self._producer = producer
        self._stream = stream

    def publish(self, event: Any, *, routing_key: str, serializer: Any, **options: Any) -> None:
        # What cannot be published is not appended either: the dispatcher keeps it, and comes here again with it.
        self._producer.publish(event, routing_key=routing_key, serializer=serializer, **options)
        self._stream.append(event, self._producer, routing_key=routing_key, serializer=serializer)
