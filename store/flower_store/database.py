"""Connections to PostgreSQL: one place that knows the driver's URL form and its time-outs."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import psycopg
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
}
"""libpq's options where the URL says nothing: a peer that is gone without a word is noticed after a minute."""


def parsed(database_url: str) -> URL:
    """The URL for SQLAlchemy with our driver; raises SettingError without repeating the value."""
    try:
        url = make_url(database_url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise SettingError("database_url", "…", "is not a URL: postgresql://user:password@host:port/name") from None
    return url.set(drivername="postgresql+psycopg", query=_LINE | dict(url.query))


def libpq_url(database_url: str) -> str:
    """The URL as libpq reads it, with its password."""
    return parsed(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def shown(database_url: str) -> str:
    """The URL for people: without its password and without its options, which may hold one."""
    return parsed(database_url).set(query={}).render_as_string(hide_password=True)


def _options(timeout: timedelta) -> str:
    milliseconds = int(timeout / timedelta(milliseconds=1))
    return f"-c statement_timeout={milliseconds} -c TimeZone=UTC -c application_name=flower"


class Reader:
    """A pool of asynchronous connections for reading; each statement is bounded in time."""

    def __init__(self, settings: StoreSettings) -> None:
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
        """A connection in one transaction; raises the store's errors."""
        with errors.translated():
            async with self._engine.connect() as connection:
                yield connection

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


def connect_driver(settings: StoreSettings) -> psycopg.Connection:
    """A connection of the driver's own, for COPY and advisory locks; autocommit, raises the store's errors."""
    with errors.translated():
        return psycopg.connect(
            libpq_url(settings.database_url),
            autocommit=True,
            prepare_threshold=None,
            options=_options(settings.database_write_timeout),
        )
