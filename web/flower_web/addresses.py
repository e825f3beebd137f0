"""Every address of the dashboard in one place: pages and templates build none by hand.

Ids and names are arbitrary text from the cluster, so everything is percent-encoded. Ids that a browser or proxy
would bend when they stand in a path (`a/b`, `..`) go into the query instead.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

_STRAIGHT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~:@+=,;!*'()-]+")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses under one prefix (`root`, no slash at its end) for one cluster."""

    root: str = ""
    cluster: str = ""

    @property
    def home(self) -> str:
        """Where the reader is sent on."""
        return f"{self.root}/"

    def login(self, after: str = "") -> str:
        """The way in, and where it is to lead."""
        return _with(f"{self.root}/login", [("next", after)] if after else [])

    def login_by_provider(self, after: str) -> str:
        """Where a login by the provider begins, and where it is to lead."""
        return _with(f"{self.root}/login/provider", [("next", after)])

    @property
    def logout(self) -> str:
        """The way out."""
        return f"{self.root}/logout"

    @property
    def overview(self) -> str:
        """The cluster's first page."""
        return f"{self.root}/c/{quote(self.cluster, safe='')}/"

    @property
    def workers(self) -> str:
        """The fleet."""
        return f"{self.overview}workers"

    @property
    def unseen(self) -> str:
        """What could not be seen."""
        return f"{self.overview}unseen"

    def errors(self, status: str = "") -> str:
        """Groups of errors, open ones unless a status is given."""
        return _with(f"{self.overview}errors", [("status", status)] if status else [])

    def error(self, group_id: int) -> str:
        """Where a decision about one group goes."""
        return f"{self.overview}errors/{group_id}"

    def api(self, name: str) -> str:
        """Our own API's address of this name, for this cluster."""
        return f"{self.root}/api/v1/clusters/{quote(self.cluster, safe='')}/{name}"

    @property
    def stream(self) -> str:
        """The page's one event stream."""
        return f"{self.root}/events/stream?{urlencode({'c': self.cluster})}"

    @property
    def reference(self) -> str:
        """The API's own pages."""
        return f"{self.root}/api/docs"

    def tasks(self, query: Iterable[tuple[str, str]] = ()) -> str:
        """The task list; `query` as the list's own `pairs` gives it."""
        return _with(f"{self.overview}tasks", query)

    def task_rows(self, query: Iterable[tuple[str, str]] = ()) -> str:
        """The rows of the task list that the live island asks for again."""
        return _with(f"{self.overview}task-rows", query)

    def task(self, task_id: str) -> str:
        """One task."""
        if _STRAIGHT.fullmatch(task_id):
            return f"{self.overview}tasks/{quote(task_id, safe='')}"
        return _with(f"{self.overview}task", [("id", task_id)])

    def static(self, name: str) -> str:
        """A built asset, by its hashed name."""
        return f"{self.root}/static/dist/{name}"

    def file(self, name: str) -> str:
        """A file that is served as it stands in the package."""
        return f"{self.root}/static/{name}"


def _with(path: str, query: Iterable[tuple[str, str]]) -> str:
    encoded = urlencode(list(query))
    return f"{path}?{encoded}" if encoded else path
