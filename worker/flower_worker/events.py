"""`app.events` of an application whose events are kept: Celery's own, with another dispatcher."""

from typing import Any

from celery.app.events import Events as CeleryEvents
from kombu.utils.objects import cached_property

from flower_worker.stream import Stream


class Events(CeleryEvents):  # type: ignore[misc]  # Celery ships no types
    """Named by `Celery(events=…)`, which is Celery's hook for it (`app.events_cls`)."""

    app: Any
    dispatcher_cls = "flower_worker.dispatcher:Dispatcher"

    @cached_property
    def stream(self) -> Stream:
        """The stream that this process appends to, and how that went."""
        return Stream(self.app.conf)
