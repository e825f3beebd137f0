"""How a handler, ours or a page's, gets at the rows: it names `reads: Reads` in its signature.

cluster = await reads.cluster(slug)
async with reads.connect() as connection:
    page = await tasks.page(connection, TaskQuery(cluster_id=cluster.id))
"""

import time
from typing import Final

from litestar.exceptions import NotFoundException

from flower_store import database
from flower_store.reads import clusters
from flower_store.records import ClusterRecord
from flower_store.settings import StoreSettings

DEFAULT = "default"
"""The cluster that is meant when none is named and there are several."""

REMEMBERED: Final = 5.0
"""Seconds for which a cluster is not looked up again: its id never changes, its broker's address at a start."""


class UnknownCluster(NotFoundException):
    """No cluster has this name."""


class NoCluster(NotFoundException):
    """Nothing is stored yet: no collector has been here."""


class Reads(database.Reader):
    """The store's pool of connections, and which cluster a request means."""

    def __init__(self, settings: StoreSettings) -> None:
        super().__init__(settings)
        self._remembered: dict[str | None, tuple[float, ClusterRecord]] = {}

    async def cluster(self, slug: str | None = None) -> ClusterRecord:
        """The cluster of this name; without a name the one that is meant. Raises UnknownCluster, NoCluster."""
        until, remembered = self._remembered.get(slug, (0.0, None))
        if remembered is not None and time.monotonic() < until:
            return remembered
        found = _meant(await self.clusters()) if slug is None else await self._named(slug)
        self._remembered[slug] = (time.monotonic() + REMEMBERED, found)
        return found

    async def _named(self, slug: str) -> ClusterRecord:
        found = None
        if "\0" not in slug:
            async with self.connect() as connection:
                found = await clusters.cluster(connection, slug)
        if found is None:
            raise UnknownCluster(detail=f"no cluster is called {slug!r}")
        return found

    async def clusters(self) -> list[ClusterRecord]:
        """Every cluster, by name."""
        async with self.connect() as connection:
            return await clusters.clusters(connection)


def _meant(known: list[ClusterRecord]) -> ClusterRecord:
    if not known:
        raise NoCluster(detail="no cluster is stored yet: start a collector")
    return next((one for one in known if one.slug == DEFAULT), known[0])
