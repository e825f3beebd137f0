"""Where a task goes that is sent by name: as the request or the application says, or as such tasks went last."""

from collections.abc import Mapping
from typing import Any, cast

from amqp.exceptions import NotFound
from kombu.entity import Exchange, Queue

from flower_collector import app, driver
from flower_store.claims import Claim

ROUTE = "route"
"""The argument of a command that holds the way of the last such task (`flower_store.reads.routes`)."""

Opened = tuple[driver.Connection, driver.AmqpChannel]


def destination(
    cluster: app.App, claim: Claim, options: Mapping[str, Any], opened: Opened, *, kind: str
) -> Mapping[str, object]:
    """Options of Celery's that say where it goes; none where Celery finds the way by itself. `kind` is the transport's.

    On RabbitMQ a queue that is there is not declared: what its owner said of it is not known here, and a declaration
    that says something else is refused.
    """
    if any(options.get(one) is not None for one in ("exchange", "routing_key")):
        return {}
    queue = options.get("queue")
    amqp = cast("Any", cluster).amqp
    if queue is not None:
        return {} if queue in amqp.queues else _to(queue, opened, kind)
    route = claim.arguments.get(ROUTE)
    if not isinstance(route, Mapping) or _routed(amqp, claim, options):
        return {}
    exchange, key = str(route.get("exchange") or ""), str(route.get("routing_key") or "")
    if exchange and kind == "amqp" and _there(opened, exchange=exchange):
        return _through(str(route["queue"]), exchange, key)
    return _to(str(route["queue"]), opened, kind)


def _routed(amqp: Any, claim: Claim, options: Mapping[str, Any]) -> bool:  # noqa: ANN401 - Celery ships no types
    """Whether the application says where such tasks go (`task_routes`)."""
    return bool(amqp.router.lookup_route(claim.target["name"], (), {}, dict(options)))


def _to(queue: str, opened: Opened, kind: str) -> Mapping[str, object]:
    if kind == "amqp" and _there(opened, queue=queue):
        return {"queue": _undeclared(queue, "", queue)}
    return {"queue": queue}


def _through(queue: str, exchange: str, key: str) -> Mapping[str, object]:
    """`mandatory`: where no queue is bound for it any more, the broker gives it back instead of dropping it."""
    return {"queue": _undeclared(queue, exchange, key), "exchange": exchange, "routing_key": key, "mandatory": True}


def _undeclared(queue: str, exchange: str, key: str) -> object:
    # Celery sends to the queue itself where its exchange is direct.
    through = cast("Any", Exchange)(exchange, type="topic" if exchange else "direct", no_declare=True)
    return cast("Any", Queue)(queue, exchange=through, routing_key=key, no_declare=True)


def _there(opened: Opened, *, queue: str = "", exchange: str = "") -> bool:
    """Whether it exists; asked on a channel of its own, because RabbitMQ closes it for what does not."""
    with opened[0].channel() as channel:
        try:
            if exchange:
                channel.exchange_declare(exchange=exchange, type="", durable=True, auto_delete=False, passive=True)
            else:
                channel.queue_declare(queue=queue, passive=True)
        except NotFound:
            return False
    return True
