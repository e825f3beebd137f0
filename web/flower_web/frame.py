"""What stands round every page: title, place in the navigation, cluster, and the moment of rendering."""

from dataclasses import dataclass
from datetime import datetime

from flower_web.addresses import Addresses
from flower_web.intake import FINE, Intake


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation."""

    key: str
    label: str
    address: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of one page. Without a cluster (nothing stored yet) its navigation is the start page."""

    title: str
    addresses: Addresses
    now: datetime
    here: str = ""
    clusters: tuple[str, ...] = ()
    interval: int = 500
    """Milliseconds that the live controller leaves between two requests."""
    intake: Intake = FINE
    user: str = ""
    """Who is logged in by a session."""
    opened: bool = False
    """Whether everybody who reaches the port is answered."""
    live: bool = True
    """Whether the page follows the cluster; an error page stays as it is."""

    @property
    def places(self) -> tuple[Place, ...]:
        """The navigation, in its order."""
        if not self.addresses.cluster:
            return (Place("overview", "Start", self.addresses.home),)
        return (
            Place("overview", "Overview", self.addresses.overview),
            Place("tasks", "Tasks", self.addresses.tasks()),
            Place("errors", "Errors", self.addresses.errors()),
            Place("workers", "Workers", self.addresses.workers),
        )

    def other(self, cluster: str) -> str:
        """The same place in another cluster."""
        there = Addresses(self.addresses.root, cluster)
        return {"tasks": there.tasks(), "errors": there.errors(), "workers": there.workers}.get(
            self.here, there.overview
        )
