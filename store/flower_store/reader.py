"""The pool of those who read. Apart from `database`: SQLAlchemy's asynchronous half takes memory of the collector."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from flower_store import database, errors
from flower_store.settings import StoreSettings


class Reader:
    """A pool of asynchronous connections for reading; each statement is bounded in time."""

    def __init__(self, settings: StoreSettings) -> None:
        self._timeout = settings.database_read_timeout
        self._url = database.libpq_url(settings.database_url)
        self._engine: AsyncEngine = create_async_engine(
            database.DIALECT,
            async_creator=self._made,
            isolation_level="AUTOCOMMIT",  # the driver's own BEGIN would be a round trip of its own
            pool_size=settings.database_pool_size,
            max_overflow=settings.database_pool_size,
            pool_timeout=5,
            pool_recycle=1800,
        )

    @asynccontextmanager
    async def connect(self, isolation: IsolationLevel = "READ COMMITTED") -> AsyncGenerator[AsyncConnection]:
        """A connection in one transaction, for as long as one read may take; raises the store's errors.

        With REPEATABLE READ all its statements see one moment.
        """
        seconds = (self._timeout + database.MARGIN).total_seconds()
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                with errors.translated():
                    connection = await self._begun(isolation)
                    try:
                        yield connection
                    finally:
                        await asyncio.shield(asyncio.create_task(connection.close()))
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise errors.StatementTimeout(f"the database gave no answer within {seconds:g} s") from error

    async def _begun(self, isolation: IsolationLevel, *, tries: int = 2) -> AsyncConnection:
        """A connection in a transaction. One that was cut off while it lay in the pool is replaced, with all others."""
        connection = await self._engine.connect()
        try:
            await connection.exec_driver_sql(f"BEGIN ISOLATION LEVEL {isolation}; {database.limited(self._timeout)}")
        except BaseException as error:
            await asyncio.shield(asyncio.create_task(connection.close()))
            cut = isinstance(error, DBAPIError) and error.connection_invalidated
            if not cut or tries == 1:
                raise
            return await self._begun(isolation, tries=tries - 1)
        return connection

    async def close(self) -> None:
        """Close every connection. May be called twice."""
        await self._engine.dispose()

    async def _made(self) -> psycopg.AsyncConnection:
        # A prepared statement does not survive a pool's transaction mode.
        return await psycopg.AsyncConnection.connect(self._url, prepare_threshold=None)
