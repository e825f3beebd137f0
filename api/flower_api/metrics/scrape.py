"""What a scrape is answered with: one reading of the store, shared by all who ask within a second."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from prometheus_client.exposition import choose_encoder

from flower_api.metrics import exposition, flower2, own
from flower_api.metrics.exposition import Family
from flower_api.reads import Pool
from flower_api.settings import ApiSettings
from flower_store import histograms
from flower_store.metric_records import Figures, Snapshot
from flower_store.reads import metric_figures, metrics

KEPT: Final = 1.0
"""Seconds for which an answer is not made again: whoever scrapes faster, or many at once, cost one reading."""

SLOWLY: Final = 10.0
"""Seconds for which figures that change slowly are not read again; queues are sampled as often."""

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
        self._until = self._figures_until = -math.inf
        self._figures: Figures = {}
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
        settings, most = self._settings, self._settings.metrics_series
        async with self._pool.connect("REPEATABLE READ") as connection:
            snapshot = await metrics.snapshot(connection, most=most, purge=settings.purge_offline_workers)
            if self._clock() >= self._figures_until:
                self._figures = await metric_figures.figures(connection, workers=most // 2)
                self._figures_until = self._clock() + SLOWLY
        return await asyncio.to_thread(_families, snapshot, self._figures, settings.runtime_bounds)


def _families(snapshot: Snapshot, figures: Figures, bounds: Sequence[float]) -> Sequence[Family]:
    return [
        *flower2.families(snapshot, bounds),
        *own.times(snapshot, bounds),
        own.utilization(snapshot, figures),
        *own.families(figures),
    ]
