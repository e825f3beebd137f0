"""What samples a cluster's queues, as its broker and its settings have it."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

from flower_collector import app
from flower_collector.queues.other import Other
from flower_collector.queues.rabbitmq import RabbitMQ
from flower_collector.queues.redis import Redis
from flower_collector.queues.sampler import QueueSampler
from flower_collector.queues.way import Way
from flower_collector.receivers import overflow
from flower_collector.shared import Shared


def threads(shared: Shared, *, leads: Callable[[], bool]) -> Sequence[QueueSampler]:
    """The thread, not yet started; none where queues are not to be sampled."""
    if not shared.settings.queue_interval:
        return ()
    return (
        QueueSampler(
            shared.app,
            shared.writer(),
            kind=shared.kind,
            way=_way(shared),
            named=partial(_named, shared),
            every=shared.settings.queue_interval,
            leads=leads,
            metrics=shared.metrics,
            clock=shared.clock,
        ),
    )


def _way(shared: Shared) -> Way:
    match shared.kind:
        case "amqp":
            events = app.queue_name(shared.settings, shared.app)
            own = (events, overflow.queue_name(events))
            return RabbitMQ(api_url=shared.settings.broker_api, own=own, clock=shared.clock)
        case "redis":
            return Redis()
        case _:
            return Other()


def _named(shared: Shared) -> Iterable[str]:
    """The application's `task_queues` and `task_default_queue`; a bare one's say nothing."""
    return list(cast("Any", shared.app).amqp.queues) if shared.settings.app else ()
