"""Closing a connection to the broker for good."""

from contextlib import suppress

from amqp import Connection as AmqpConnection

from flower_collector import driver


def close(connection: driver.Connection) -> None:
    """Close it, broken or not, in ways that only its driver knows.

    py-amqp waits for the broker's word; where something else comes first (that the consumer's queue was deleted) it
    raises, kombu takes that for the end, and the socket would stay open until the collector of garbage finds it.
    """
    opened = vars(connection).get("_connection")
    with suppress(Exception):
        connection.release()
    if isinstance(opened, AmqpConnection):
        with suppress(Exception):
            opened.collect()
