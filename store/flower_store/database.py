"""Connections to PostgreSQL: one place that knows the driver's URL form and its time-outs."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta

import psycopg
import psycopg.conninfo
import sqlalchemy
import sqlalchemy.exc
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from flower_store import errors
from flower_store.settings import SettingError, StoreSettings

_LINE = {
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # keepalives rest while sent data waits to be acknowledged
}
"""libpq's options where the URL says nothing: a peer that is gone without a word is noticed after a minute."""

MARGIN = timedelta(seconds=2)
"""How much later than the server's own time-out we give up: a server that is frozen does not keep its time-outs."""


def parsed(database_url: str) -> URL:
    """The URL for SQLAlchemy with our driver; raises SettingError without repeating the value."""
    try:
        url = make_url(database_url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise SettingError("database_url", "…", "is not a URL: postgresql://user:password@host:port/name") from None
    if url.port is not None and not 0 < url.port < 65_536:  # noqa: PLR2004 - stated in the rule
        raise SettingError("database_url", "…", "its port must be from 1 to 65535")
    return url.set(drivername="postgresql+psycopg", query=_LINE | dict(url.query))


def libpq_url(database_url: str) -> str:
    """The URL as libpq reads it, with its password."""
    return parsed(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def check(database_url: str) -> None:
    """Raise SettingError for what libpq would not understand, naming the option but no value."""
    try:
        psycopg.conninfo.conninfo_to_dict(libpq_url(database_url))
    except psycopg.ProgrammingError as error:
        raise SettingError("database_url", "…", " ".join(str(error).split())) from None


def shown(database_url: str) -> str:
    """The URL for people: without its password and without its options, which may hold one."""
    return parsed(database_url).set(query={}).render_as_string(hide_password=True)


def _options(timeout: timedelta) -> str:
    milliseconds = int(timeout / timedelta(milliseconds=1))
    return f"-c statement_timeout={milliseconds} -c TimeZone=UTC -c application_name=flower"


class Reader:
    """A pool of asynchronous connections for reading; each statement is bounded in time."""

    def __init__(self, settings: StoreSettings) -> None:
        self._limit = (settings.database_read_timeout + MARGIN).total_seconds()
        self._engine: AsyncEngine = create_async_engine(
            parsed(settings.database_url),
            pool_size=settings.database_pool_size,
            max_overflow=settings.database_pool_size,
            pool_timeout=5,
            pool_pre_ping=True,
            pool_recycle=1800,
            connect_args={
                "options": _options(settings.database_read_timeout),
                "prepare_threshold": None,  # a prepared statement does not survive pgbouncer's transaction mode
            },
        )

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[AsyncConnection]:
        """A connection in one transaction, for as long as one read may take; raises the store's errors."""
        limit = asyncio.timeout(self._limit)
        try:
            async with limit:
                with errors.translated():
                    async with self._engine.connect() as connection:
                        yield connection
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise errors.StatementTimeout(f"the database gave no answer within {self._limit:g} s") from error

    async def close(self) -> None:
        """Close every connection. May be called twice."""
        await self._engine.dispose()


@contextmanager
def connect(database_url: str, *, timeout: timedelta = timedelta(seconds=30)) -> Generator[Connection]:
    """One synchronous connection in one transaction, committed at the end; for start-up checks."""
    engine = sqlalchemy.create_engine(
        parsed(database_url),
        poolclass=sqlalchemy.NullPool,
        connect_args={"options": _options(timeout)},
    )
    with errors.translated(), engine.begin() as connection:
        yield connection


@contextmanager
def bounded(connection: psycopg.Connection, limit: timedelta) -> Generator[None]:
    """Hang up when the work takes longer than the server's own time-out and a margin: it then fails as cut off."""
    timer = threading.Timer((limit + MARGIN).total_seconds(), _hang_up, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(connection: psycopg.Connection) -> None:
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def connect_driver(settings: StoreSettings) -> psycopg.Connection:
    """A connection of the driver's own, for COPY and advisory locks; autocommit, raises the store's errors."""
    with errors.translated():
        return psycopg.connect(
            libpq_url(settings.database_url),
            autocommit=True,
            prepare_threshold=None,
            options=_options(settings.database_write_timeout),
        )
