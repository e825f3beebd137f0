"""`/api/v1/clusters`: which clusters there are."""

from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from flower_api.reads import Reads
from flower_api.v1 import parameters
from flower_store.reads import clusters
from flower_store.records import ClusterRecord


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A monitored cluster; `broker` is its address without its password."""

    slug: str
    transport: str
    broker: str


class Clusters(msgspec.Struct, frozen=True, kw_only=True):
    """Clusters by name; `next` is the cursor of the page behind, null on the last one."""

    clusters: list[Cluster]
    next: str | None


@get("/", responses=parameters.answered(Clusters, "clusters"), summary="Clusters", tags=["clusters"])
async def list_clusters(
    reads: NamedDependency[Reads],
    *,
    after: parameters.After = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=parameters.MOST)] = 100,
) -> Clusters:
    """Those of which a collector has written, and that may be seen."""
    place = parameters.text_cursor(after)
    async with reads.connect() as connection:
        page = await clusters.page(connection, after=place, limit=limit, among=reads.visible)
    return Clusters(clusters=[_cluster(one) for one in page.items], next=page.next)


@get("/{slug:str}", responses=parameters.answered(Cluster, "the cluster"), summary="One cluster", tags=["clusters"])
async def one_cluster(slug: FromPath[str], reads: NamedDependency[Reads]) -> Cluster:
    """By its name in addresses."""
    return _cluster(await reads.cluster(slug))


def _cluster(record: ClusterRecord) -> Cluster:
    return Cluster(slug=record.slug, transport=record.transport, broker=record.broker)
