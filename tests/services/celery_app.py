"""The Celery app of end-to-end tests. Broker and result backend come from CELERY_BROKER_URL and
CELERY_RESULT_BACKEND, which Celery reads itself; further settings, as JSON, from TESTS_CELERY_SETTINGS.

Tests send its tasks by name, `client(broker_url).send_task("tests.add", (2, 3))`, and workers run them.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from celery import Celery, current_task
from kombu import pools

P = ParamSpec("P")
R = TypeVar("R")

app = Celery("flower-tests", set_as_current=False)
SETTINGS = {
    "task_send_sent_event": True,
    "worker_send_task_events": True,
    "broker_connection_retry_on_startup": True,
    "result_expires": 3600,
}
app.conf.update(SETTINGS | json.loads(os.environ.get("TESTS_CELERY_SETTINGS", "{}")))

_NONE: Mapping[str, object] = {}
_clients: list[Any] = []
_pools: Any = pools  # kombu ships no types


def client(
    broker_url: str, result_backend: str | None = None, *, settings: Mapping[str, object] = _NONE
) -> Any:  # Celery ships no types
    """An app for the test's own process that sends, inspects and reads results. `close_clients` closes it."""
    celery = Celery(broker=broker_url, backend=result_backend, set_as_current=False)
    celery.conf.update(SETTINGS | dict(settings))
    _clients.append(celery)
    return celery


def close_clients() -> None:
    """Also what closing an app leaves: kombu's pools, which all apps of a process share, and the result backend."""
    while _clients:
        closing = _clients.pop()
        if str(closing.conf.result_backend).startswith("redis"):
            closing.backend.result_consumer.stop()
            closing.backend.client.close()
        closing.close()
    _pools.reset()


def _task(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return cast("Callable[[Callable[P, R]], Callable[P, R]]", app.task(name=name, max_retries=10))


@_task("tests.add")
def add(x: int, y: int) -> int:
    return x + y


@_task("shop.pay")
def pay(order: int, currency: str) -> str:
    """The task of the examples in docs/api.md."""
    return f"paid {order} in {currency}"


@_task("tests.fail")
def fail(number: int) -> None:
    raise ValueError(f"task {number} failed, as asked")


@_task("tests.retry_then_succeed")
def retry_then_succeed(times: int, countdown: float = 0.0) -> int:
    """Succeed at the attempt after `times` retries."""
    running = cast("Any", current_task)
    attempt: int = running.request.retries
    if attempt < times:
        raise running.retry(exc=TimeoutError(f"attempt {attempt} of {times}"), countdown=countdown)
    return attempt


@_task("tests.slow")
def slow(seconds: float) -> float:
    time.sleep(seconds)
    return seconds
