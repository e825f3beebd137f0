"""What a worker tells."""

from celery import Celery


def report_task(broker: str, identity: str) -> None:
    """Send the event that a worker sends when it takes a task."""
    with (
        Celery(broker=broker) as app,
        app.connection() as connection,
        app.events.Dispatcher(connection, hostname="worker@here") as dispatcher,
    ):
        dispatcher.send("task-received", uuid=identity, name="shop.pay", args="()", kwargs="{}", retries=0)
