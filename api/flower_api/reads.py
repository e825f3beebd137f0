"""How a handler, ours or a page's, gets at the rows: it names `reads: Reads` in its signature.

cluster = await reads.cluster(slug)
async with reads.connect() as connection:
    page = await tasks.page(connection, TaskQuery(cluster_id=cluster.id))

No handler gets a cluster's id but through here, and so none reads or changes what whoever asks may not.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from litestar.exceptions import NotFoundException

from flower_api.access import principal as principals
from flower_api.access.permissions import Permission
from flower_api.access.principal import Principal
from flower_store.reader import Reader
from flower_store.reads import clusters
from flower_store.records import ClusterRecord
from flower_store.settings import StoreSettings

Refused = Callable[[Permission, str], Awaitable[None]]

DEFAULT = "default"
"""The cluster that is meant when none is named and there are several."""

REMEMBERED: Final = 5.0
"""Seconds for which a cluster is not looked up again: its id never changes, its broker's address at a start."""


class UnknownCluster(NotFoundException):
    """No cluster has this name, or none that may be seen."""


class NoCluster(NotFoundException):
    """Nothing is stored yet: no collector has been here."""


class Pool(Reader):
    """The store's pool of connections, one a process, and which clusters there are."""

    def __init__(self, settings: StoreSettings) -> None:
        super().__init__(settings)
        self._remembered: dict[str | None, tuple[float, ClusterRecord]] = {}

    async def named(self, slug: str | None) -> ClusterRecord:
        """The cluster of this name, or the one that is meant among all. Raises UnknownCluster, NoCluster."""
        until, remembered = self._remembered.get(slug, (0.0, None))
        if remembered is not None and time.monotonic() < until:
            return remembered
        found = meant(await self.clusters()) if slug is None else await self._found(slug)
        self._remembered[slug] = (time.monotonic() + REMEMBERED, found)
        return found

    async def _found(self, slug: str) -> ClusterRecord:
        found = None
        if "\0" not in slug:
            async with self.connect() as connection:
                found = await clusters.cluster(connection, slug)
        if found is None:
            raise unknown(slug)
        return found

    async def clusters(self) -> list[ClusterRecord]:
        """Every cluster, by name."""
        async with self.connect() as connection:
            return await clusters.clusters(connection)


class Reads:
    """The pool as one request may use it. Without a principal all is open: what everybody is answered has none."""

    def __init__(
        self,
        pool: Pool,
        who: Principal | None = None,
        needs: Iterable[Permission] = (),
        *,
        refused: Refused | None = None,
    ) -> None:
        """`needs` are the permissions of the route's rule, of which one must be held in the cluster.

        `refused` is told where none is.
        """
        self._refused = refused
        self._pool = pool
        self._who = who
        self._needs = tuple(needs)
        self.connect = pool.connect

    async def cluster(self, slug: str | None = None, permission: Permission | None = None) -> ClusterRecord:
        """The cluster of this name; without a name the one that is meant.

        `permission` narrows what the rule of the route says. Raises UnknownCluster, NoCluster, PermissionDenied.
        """
        narrow = slug is None and self.visible is not None
        found = meant(await self.clusters()) if narrow else await self._pool.named(slug)
        await self.admit(found, permission)
        return found

    async def admit(self, cluster: ClusterRecord, permission: Permission | None = None) -> None:
        """Raise UnknownCluster for one that may not be seen, PermissionDenied where not enough may be done in it."""
        if self._who is None:
            return
        if not self._who.may(Permission.READ, cluster.slug):
            raise unknown(cluster.slug)
        wanted = self._needs if permission is None else (permission,)
        if any(self._who.may(one, cluster.slug) for one in wanted):
            return
        if self._refused is not None:
            await self._refused(wanted[0], cluster.slug)
        principals.refuse(self._who, wanted, cluster.slug)

    async def clusters(self) -> list[ClusterRecord]:
        """Every cluster that may be seen, by name."""
        return [one for one in await self._pool.clusters() if self._seen(one.slug)]

    @property
    def visible(self) -> frozenset[str] | None:
        """Names of the clusters that may be seen; None is every one."""
        who = self._who
        if who is None or who.sees_all:
            return None
        return frozenset().union(*(grant.clusters or () for grant in who.grants))

    def _seen(self, slug: str) -> bool:
        return self._who is None or self._who.may(Permission.READ, slug)


def unknown(slug: str) -> UnknownCluster:
    """There is none, or it is not to be known that there is one."""
    return UnknownCluster(detail=f"no cluster is called {slug!r}")


def meant(known: list[ClusterRecord]) -> ClusterRecord:
    """The one that is meant where none is named. Raises NoCluster."""
    if not known:
        raise NoCluster(detail="no cluster is stored yet: start a collector")
    return next((one for one in known if one.slug == DEFAULT), known[0])
