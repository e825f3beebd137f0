"""The shop's Celery app, and Celery with types, as far as the shop uses it.

Broker and result backend come from CELERY_BROKER_URL and CELERY_RESULT_BACKEND, which Celery reads itself.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ParamSpec, Protocol, cast

from celery import Celery, current_task

from flower_cli.demo import failures

P = ParamSpec("P")

app = Celery("shop", include=[f"flower_cli.demo.{module}" for module in ("mail", "media", "reports", "shop")])
app.conf.update(
    task_routes={
        "shop.*": {"queue": "orders"},
        "mail.*": {"queue": "mail"},
        "media.*": {"queue": "media"},
        "reports.*": {"queue": "reports"},
    },
    task_default_queue="orders",
    # Only this event names the queue; Celery leaves it off by default.
    task_send_sent_event=True,
    worker_send_task_events=True,
    # A worker must not hoard what its neighbour could run while it is busy with a slow task.
    worker_prefetch_multiplier=2,
    broker_connection_retry_on_startup=True,
    # On SIGQUIT running tasks get this long; the long report would keep a warm shutdown waiting for 45 s.
    worker_soft_shutdown_timeout=2.0,
    # The demo's broker lives in memory: results that nobody fetches must not pile up there.
    result_expires=timedelta(minutes=5),
)


class Sent(Protocol):
    """A task that is on its way."""

    id: str


class Call(Protocol):
    """A task with its arguments, not sent yet (Celery's signature)."""

    def apply_async(self, *, countdown: float | None = None, eta: datetime | None = None) -> Sent:
        """Send it, to run after so many seconds or at a moment."""
        ...


class Job(Protocol[P]):
    """A task, with the parameters of its function."""

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> Sent:
        """Send it."""
        ...

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """Describe a call that ignores the result of the one before."""
        ...


class _Request(Protocol):
    retries: int


class _Running(Protocol):
    request: _Request

    def retry(self, *, exc: Exception, countdown: float) -> Exception: ...
    def send_event(self, kind: str, **fields: object) -> None: ...


def task(name: str, *, max_retries: int = 3, rate_limit: str | None = None) -> Callable[[Callable[P, object]], Job[P]]:
    """Register a function as a task."""
    # Failures that belong to the story are not worth a traceback in the worker's log.
    expected = (failures.PaymentDeclined, failures.GatewayTimeout, failures.RecordMissing)
    register = app.task(name=name, max_retries=max_retries, rate_limit=rate_limit, throws=expected)
    return cast("Callable[[Callable[P, object]], Job[P]]", register)


def running() -> _Running:
    """The task that this process works on."""
    return cast("_Running", current_task)


def revoke(sent: Sent, *, terminate: bool = False) -> None:
    """Take a task back; `terminate` ends it even when it runs."""
    app.control.revoke(sent.id, terminate=terminate)
