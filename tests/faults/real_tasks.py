"""The Celery app of workers under faults: tasks that write down each of their runs, and tasks that end in odd ways.

Settings are those of tests/services/celery_app.py; Celery itself reads broker and result backend from the environment.
"""

import time
from typing import Any, cast

import redis
from celery import Celery, exceptions
from tests.services import celery_app

RUNS = "runs"
"""The list in the result backend's Redis with the id of a task for each of its runs."""

app: Any = Celery("flower-real-tasks", set_as_current=False)
app.conf.update(celery_app.SETTINGS)


@app.task(name="tests.noted", bind=True)  # type: ignore[untyped-decorator]
def noted(self: Any) -> None:
    """Write down that it runs: what the audit of its events is held against."""
    with redis.Redis.from_url(app.conf.result_backend) as results:
        results.rpush(RUNS, self.request.id)


@app.task(name="tests.long_the_first_time", bind=True, acks_late=True)  # type: ignore[untyped-decorator]
def long_the_first_time(self: Any) -> str:
    """Run for ever at its first delivery, and end at once at the next."""
    if not self.request.delivery_info["redelivered"]:
        time.sleep(3_600)
    return cast("str", self.request.hostname)


@app.task(name="tests.ignore")  # type: ignore[untyped-decorator]
def ignore() -> None:
    raise exceptions.Ignore


@app.task(name="tests.reject", acks_late=True)  # type: ignore[untyped-decorator]
def reject() -> None:
    raise exceptions.Reject("nobody wants it", requeue=False)


@app.task(name="tests.too_long", time_limit=1)  # type: ignore[untyped-decorator]
def too_long() -> None:
    """Meet its hard time limit, at which the process is killed."""
    time.sleep(3_600)


@app.task(name="tests.endless")  # type: ignore[untyped-decorator]
def endless() -> None:
    time.sleep(3_600)
