"""A connection for work on the whole database, whose clusters are none of the caller's."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import psycopg

from flower_store import database, errors, schema
from flower_store.settings import StoreSettings


class Sessions(Protocol):
    """Where a connection in autocommit mode is had, one at a time: a cluster's `writes.Writer`, or `Maintenance`."""

    def session(self) -> AbstractContextManager[psycopg.Connection]:
        """The connection; errors come out as the store's."""
        ...


class Maintenance:
    """Not thread-safe; connects at the first need. Raises WrongSchema on another revision than this build's."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._connection: psycopg.Connection | None = None

    @contextmanager
    def session(self) -> Generator[psycopg.Connection]:
        """The connection, in autocommit mode."""
        if self._connection is None:
            self._connection = database.connect_driver(self._settings)
            schema.check(self._connection)
        with errors.translated(), database.bounded(self._connection, self._settings.database_write_timeout):
            yield self._connection

    def close(self) -> None:
        """Close the connection. May be called twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
