"""How a handler asks a cluster for something: it names `control: Control` in its signature.

found = await control.ask(asked, reply_within=timedelta(seconds=5))

What is asked is a row that a collector takes and answers (`flower_store.outbox`). A request that ends, or a process
that dies, changes nothing about what was asked.
"""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

from litestar.exceptions import HTTPException

from flower_api.live import Away, Full, Live, Subscription
from flower_api.reads import Pool
from flower_store import errors, outbox
from flower_store.outbox import Asked
from flower_store.reads import commands
from flower_store.records import CommandRecord

TAKEN_WITHIN = timedelta(seconds=5)
"""How long a command waits for a collector, which takes milliseconds; then it is withdrawn and never executed."""

REPLY_WITHIN = timedelta(seconds=5)
"""How long a request waits for workers' replies. Flower waited a second and then called it a failure."""

_LOOK = 1.0
_DEAF_LOOK = 0.1
"""Seconds between looks: where endings are heard, and where they are not."""

NOBODY = "no collector of this cluster is alive, nothing was done and nothing will be: start flower-collector"
UNTAKEN = "no collector took this in time, nothing was done and nothing will be: ask again"
PERHAPS = "the database went away while this was asked: it may be done or not, see the commands of the cluster"


class NotTaken(HTTPException):
    """Nobody executes it, now or later."""

    status_code = 503
    headers = {"Retry-After": "5"}  # noqa: RUF012 - as Litestar declares it


class Control:
    """Asks, and waits for the end. `endings` tells of clusters in which a command has ended."""

    def __init__(self, pool: Pool, endings: Live) -> None:
        self._pool = pool
        self._endings = endings

    async def ask(self, asked: Asked, *, reply_within: timedelta = REPLY_WITHIN) -> CommandRecord:
        """Have it done, and wait so long for its end, counted from when it was taken.

        The command has not ended where the time was over first. Raises NotTaken.
        """
        with self._heard(asked.cluster_id) as news:
            issued = await self._issue(asked)
            if not issued.heard:
                raise NotTaken(NOBODY)
            return await self._ended(asked.cluster_id, issued.id, reply_within, news)

    async def _issue(self, asked: Asked) -> outbox.Issued:
        try:
            async with self._pool.connect() as connection:
                return await outbox.issue(connection, asked, expires=TAKEN_WITHIN)
        except errors.Unavailable as error:
            raise HTTPException(PERHAPS, status_code=503) from error

    async def _ended(
        self, cluster_id: int, command_id: int, reply_within: timedelta, news: Subscription | None
    ) -> CommandRecord:
        taken_until = time.monotonic() + TAKEN_WITHIN.total_seconds()
        until = time.monotonic() + max(reply_within, TAKEN_WITHIN).total_seconds()
        while True:
            found = await self._read(cluster_id, command_id)
            if found is not None and found.ended_at is not None:
                return found
            now = time.monotonic()
            untaken = found is not None and found.claimed_at is None
            if untaken and now >= taken_until and await self._withdrawn(command_id):
                raise NotTaken(UNTAKEN)
            if now >= until and found is not None and not untaken:
                return found
            if now >= until + TAKEN_WITHIN.total_seconds():
                raise HTTPException(PERHAPS, status_code=503)
            await _next(news, min(until, taken_until if untaken else until) - now)

    async def _read(self, cluster_id: int, command_id: int) -> CommandRecord | None:
        """The command; None while the database is away, which the command outlives."""
        try:
            async with self._pool.connect() as connection:
                return await commands.one(connection, cluster_id, command_id)
        except errors.Unavailable:
            return None

    async def _withdrawn(self, command_id: int) -> bool:
        try:
            async with self._pool.connect() as connection:
                return await outbox.withdraw(connection, command_id)
        except errors.Unavailable:
            return False

    @contextmanager
    def _heard(self, cluster_id: int) -> Generator[Subscription | None]:
        """News of endings; None where they cannot be heard."""
        try:
            news = self._endings.subscribe(cluster_id)
        except (Away, Full):
            yield None
            return
        try:
            yield news
        finally:
            self._endings.leave(news)


async def _next(news: Subscription | None, left: float) -> None:
    """Wait until there may be something new to read."""
    if news is None:
        await asyncio.sleep(_DEAF_LOOK)
    else:
        await news.news(timedelta(seconds=min(_LOOK, max(left, _DEAF_LOOK))))
