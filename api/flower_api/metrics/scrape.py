"""What a scrape is answered with: one reading of the store, shared by all who ask within a second."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from prometheus_client.exposition import choose_encoder

from flower_api.metrics import exposition, flower2
from flower_api.metrics.exposition import Family
from flower_api.reads import Pool
from flower_api.settings import ApiSettings
from flower_store import histograms
from flower_store.metric_records import Snapshot
from flower_store.reads import metrics

KEPT: Final = 1.0
"""Seconds for which an answer is not made again: whoever scrapes faster, or many at once, cost one reading."""

_log = structlog.get_logger(__name__)


class Scrape:
    """Reads the store and makes the answer."""

    def __init__(self, pool: Pool, settings: ApiSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds that only ever grow."""
        self._clock = clock
        self._pool = pool
        self._settings = settings
        self._lock = asyncio.Lock()
        self._found: Sequence[Family] = ()
        self._until = -math.inf
        between = [bound for bound in settings.runtime_bounds[:-1] if bound not in histograms.BOUNDS]
        if between:
            _log.warning("run times are counted by other bounds, these count what is surely below", bounds=between)

    async def answer(self, accept: str) -> tuple[str, bytes]:
        """Content type and body in the format that is asked for. Raises the store's errors."""
        async with self._lock:
            if self._clock() >= self._until:
                self._found = await self._read()
                self._until = self._clock() + KEPT
            found = self._found
        _, content_type = choose_encoder(accept)
        known = content_type.startswith("application/openmetrics-text")
        return content_type, await asyncio.to_thread(exposition.openmetrics if known else exposition.text, found)

    async def _read(self) -> Sequence[Family]:
        settings = self._settings
        async with self._pool.connect("REPEATABLE READ") as connection:
            snapshot = await metrics.snapshot(
                connection, most=settings.metrics_series, purge=settings.purge_offline_workers
            )
        return await asyncio.to_thread(_families, snapshot, settings.runtime_bounds)


def _families(snapshot: Snapshot, bounds: Sequence[float]) -> Sequence[Family]:
    return flower2.families(snapshot, bounds)
