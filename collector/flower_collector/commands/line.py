"""A connection to the broker for one command, made so that nothing is sent twice and nothing is lost unnoticed.

A new one each time: one that was idle may be dead without anybody's knowing, and what is written into it is lost.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, cast

from kombu.messaging import Producer

from flower_collector import app, driver

PATIENCE = 10.0
"""Seconds that the broker may take for one answer. Kombu's own default is none on RabbitMQ, two minutes on Redis."""

_AMQP: Mapping[str, object] = {"confirm_publish": True, "read_timeout": PATIENCE, "write_timeout": PATIENCE}
"""With confirms, `publish` returns when the broker has the message."""

_REDIS: Mapping[str, object] = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}


class NotOpened(Exception):
    """The broker could not be reached: nothing was sent."""


@contextmanager
def opened(cluster: app.App, kind: str) -> Generator[tuple[driver.Connection, driver.AmqpChannel]]:
    """A connection with a channel; `kind` is the transport's. Raises NotOpened."""
    connection = unopened(cluster, kind)
    try:
        yield connection, _channel(connection)
    finally:
        with suppress(Exception):  # it may be broken already, in ways that only its driver knows
            connection.release()


def unopened(cluster: app.App, kind: str) -> driver.Connection:
    """A connection that will not wait longer than PATIENCE for an answer."""
    celery = cast("Any", cluster)
    options = _AMQP if kind == "amqp" else _REDIS if kind == "redis" else {}
    connection: driver.Connection = celery.connection_for_write(heartbeat=0, transport_options=dict(options))
    return connection


def _channel(connection: driver.Connection) -> driver.AmqpChannel:
    try:
        connection.ensure_connection(
            max_retries=max(0, len(connection.alt) - 1),
            interval_start=0,
            interval_step=0,
            reraise_as_library_errors=False,
        )
        return connection.channel()  # on Redis the first that connects
    except _errors(connection) as error:
        raise NotOpened(f"{type(error).__name__}: {error}") from error


def _errors(connection: driver.Connection) -> tuple[type[Exception], ...]:
    return (OSError, *connection.connection_errors, *connection.channel_errors)


class Once(Producer):
    """A producer that never sends again after a failure: the first attempt may have arrived."""

    sent = 0
    """Messages that the broker has taken."""

    def publish(self, body: Any, **options: Any) -> Any:  # type: ignore[override]  # noqa: ANN401 - kombu has no types
        """Send it once, whatever the caller says of retries."""
        found = cast("Any", super()).publish(body, **(options | {"retry": False, "retry_policy": None}))
        self.sent += 1
        return found


def producer(channel: object) -> Once:
    """A producer on this channel that sends once."""
    made: Once = cast("Any", Once)(channel, auto_declare=False)
    return made


def once(control: object) -> None:
    """Let this `celery.app.control.Control` send with `Once`; kombu's own mailbox sends again and again."""

    def acquired(given: object = None, channel: object = None) -> object:
        return nullcontext(given or producer(channel))

    cast("Any", control).mailbox.producer_or_acquire = acquired
