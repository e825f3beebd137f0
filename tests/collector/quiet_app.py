"""A Celery app whose workers send no task events unless they are told to."""

import time

from celery import Celery

app = Celery("quiet", set_as_current=False)
app.conf.update(broker_connection_retry_on_startup=True)


def _nothing() -> None:
    """A task that is done at once."""


def _moment() -> None:
    """A task that takes a second."""
    time.sleep(1)


app.task(name="quiet.nothing")(_nothing)
app.task(name="quiet.moment")(_moment)
