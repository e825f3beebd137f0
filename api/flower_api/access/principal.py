"""Who asks: a name for the log, roles by cluster, and the way by which they came in."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException

from flower_api.access.permissions import OF_ALL, Grant, Permission, Role, least


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """One who was let in.

    - `subject` is unique over all ways of login (`basic:alice`), `name` what the log of commands says.
    - `via` tells the way for the log: `basic`, `session 6f1c…`, `token 3`.
    - `form_token` is what a write must bring along because the browser sends the cookie by itself; empty without one.
    """

    subject: str
    name: str
    via: str
    grants: tuple[Grant, ...]
    form_token: str = ""
    by_token: bool = False

    def may(self, permission: Permission, cluster: str | None = None) -> bool:
        """Whether this may be done in the cluster; without one, in any."""
        return any(grant.gives(permission, cluster) for grant in self.grants)

    def missing(self, permission: Permission, cluster: str | None = None) -> str:
        """Why this may not be done, in a sentence; empty where it may."""
        if self.may(permission, cluster):
            return ""
        where = f" in the cluster `{cluster}`" if cluster else " in every cluster" if permission in OF_ALL else ""
        return f"the permission `{permission}` is missing{where}: it takes the role {least(permission)}"

    @property
    def sees_all(self) -> bool:
        """Whether every cluster may be read."""
        return any(grant.clusters is None for grant in self.grants)

    def holds(self, role: Role, cluster: str | None) -> bool:
        """Whether this role or a stronger one is held in the cluster; without one, in every cluster."""
        strong = [held.clusters for held in self.grants if held.role.rank >= role.rank]
        return any(clusters is None or cluster in clusters for clusters in strong)

    def capped(self, role: Role, clusters: frozenset[str] | None) -> tuple[Grant, ...]:
        """This role in these clusters, as far as this principal holds as much."""
        both = [(min(role, held.role, key=lambda one: one.rank), held.clusters) for held in self.grants]
        return tuple(
            Grant(lesser, common)
            for lesser, held in both
            if (common := _common(clusters, held)) is None or common  # a role in no cluster is none
        )


ANONYMOUS = "anonymous"
"""Who asks where nobody has to log in."""

HERE = ""
"""The way of whoever asks from this machine, where no access is configured: the address in the log says it."""

OPEN = "open to all"
"""The way of whoever asks an instance that the operator opened."""

NOBODY = Principal(subject="", name="", via="", grants=())


def anonymous(via: str) -> Principal:
    """Whoever it is, with every right."""
    return Principal(subject=ANONYMOUS, name=ANONYMOUS, via=via, grants=(Grant(Role.ADMIN),))


def of(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
    """Who makes this request, as the guard found; NOBODY where everybody is answered."""
    found = connection.scope.get("user")
    return found if isinstance(found, Principal) else NOBODY


def refuse(principal: Principal, permissions: Iterable[Permission], cluster: str | None = None) -> None:
    """Raise PermissionDenied unless one of them is held."""
    wanted = list(permissions)
    if not any(principal.may(one, cluster) for one in wanted):
        raise PermissionDeniedException(principal.missing(wanted[0], cluster))


def _common(some: frozenset[str] | None, others: frozenset[str] | None) -> frozenset[str] | None:
    if some is None:
        return others
    return some if others is None else some & others
