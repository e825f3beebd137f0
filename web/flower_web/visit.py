"""One request for a cluster's page: which cluster it means, the moment, and the frame round the answer."""

from dataclasses import dataclass
from datetime import datetime

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from flower_api.access import grants, principal
from flower_api.access.guard import READ_ONLY
from flower_api.access.permissions import Permission
from flower_api.access.principal import Principal
from flower_api.reads import UnknownCluster
from flower_store.reads import clusters
from flower_store.records import ClusterRecord
from flower_web import intake as intakes
from flower_web import problems
from flower_web.addresses import Addresses
from flower_web.frame import Frame
from flower_web.given import GivenNow, GivenReads, GivenSettings
from flower_web.intake import Intake

AnyRequest = Request[object, object, State]


@dataclass(frozen=True, slots=True)
class Visit:
    """What every page of a cluster begins with."""

    cluster: ClusterRecord
    clusters: tuple[str, ...]
    addresses: Addresses
    now: datetime
    intake: Intake
    who: Principal
    read_only: bool

    def forbidden(self, permission: Permission) -> str:
        """Why this may not be done in this cluster; empty where it may."""
        return READ_ONLY if self.read_only else self.who.missing(permission, self.cluster.slug)

    def frame(self, title: str, *, here: str, interval: int = 500) -> Frame:
        """The frame of a page of this cluster."""
        return Frame(
            title,
            self.addresses,
            self.now,
            here=here,
            clusters=self.clusters,
            interval=interval,
            intake=self.intake,
            user=self.who.name if self.who.form_token and self.who.via != grants.PROXY else "",
            opened=self.who.via == principal.OPEN,
        )


GivenVisit = NamedDependency[Visit]
"""`visit`"""


async def provide_visit(
    request: AnyRequest, reads: GivenReads, api_settings: GivenSettings, now: GivenNow, cluster: FromPath[str]
) -> Visit:
    """The dependency `visit`. Raises UnknownCluster."""
    known = await reads.clusters()
    problems.remember(request, [each.slug for each in known])
    found = next((each for each in known if each.slug == cluster), None)
    if found is None:
        raise UnknownCluster(detail=f"No cluster is called {cluster!r}.")
    await reads.admit(found)
    slugs = tuple(each.slug for each in known)
    async with reads.connect() as connection:
        collectors = await clusters.collectors(connection, found.id)
    return Visit(
        found, slugs, Addresses(api_settings.root, found.slug), now, intakes.intake(collectors),
        principal.of(request), api_settings.read_only,
    )  # fmt: skip
