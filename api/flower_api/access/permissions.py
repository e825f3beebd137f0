"""What may be done, by action, and which role may do it. A role may do what the ones before it may."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Permission(StrEnum):
    """An action; the words are those that a refusal names."""

    READ = "cluster.read"
    METRICS = "metrics.read"
    REVOKE = "task.revoke"
    ABORT = "task.abort"
    SEND = "task.send"
    LIMIT = "task.limit"
    POOL = "worker.pool"
    CONSUME = "worker.consume"
    SHUTDOWN = "worker.shutdown"
    PURGE = "queue.purge"
    DECIDE = "error.decide"
    OWN_TOKENS = "token.own"
    ALL_TOKENS = "token.all"
    OWN_VIEWS = "view.own"
    SETTINGS = "settings.read"
    AUDIT = "audit.read"


class Role(StrEnum):
    """From the weakest to the strongest."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """How strong it is."""
        return tuple(Role).index(self)


_ADDED: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ, Permission.METRICS, Permission.OWN_TOKENS, Permission.OWN_VIEWS}),
    Role.OPERATOR: frozenset({
        Permission.REVOKE, Permission.ABORT, Permission.SEND, Permission.LIMIT, Permission.POOL, Permission.CONSUME,
        Permission.DECIDE,
    }),
    Role.ADMIN: frozenset({
        Permission.SHUTDOWN, Permission.PURGE, Permission.ALL_TOKENS, Permission.SETTINGS,
        Permission.AUDIT,
    }),
}  # fmt: skip

ALLOWED: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {role: frozenset().union(*(_ADDED[one] for one in Role if one.rank <= role.rank)) for role in Role}
)

OF_ALL = frozenset({Permission.METRICS, Permission.ALL_TOKENS, Permission.SETTINGS, Permission.AUDIT})
"""Permissions that concern every cluster: a role that is held in some of them alone does not give these."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in some clusters, by their names; None is every cluster, those of tomorrow included."""

    role: Role
    clusters: frozenset[str] | None = None

    def gives(self, permission: Permission, cluster: str | None) -> bool:
        """Whether it allows this in the cluster; without a cluster, whether it does in any."""
        if permission not in ALLOWED[self.role]:
            return False
        if permission in OF_ALL:
            return self.clusters is None
        return cluster is None or self.clusters is None or cluster in self.clusters


BY_KIND: Mapping[str, Permission] = MappingProxyType(
    {
        "revoke": Permission.REVOKE,
        "rate_limit": Permission.LIMIT,
        "time_limit": Permission.LIMIT,
        "pool_grow": Permission.POOL,
        "pool_shrink": Permission.POOL,
        "pool_restart": Permission.POOL,
        "autoscale": Permission.POOL,
        "add_consumer": Permission.CONSUME,
        "cancel_consumer": Permission.CONSUME,
        "shutdown": Permission.SHUTDOWN,
        "purge_queue": Permission.PURGE,
    }
)
"""What a command of each kind needs."""


def least(permission: Permission) -> Role:
    """The weakest role that may do it."""
    return next(role for role in Role if permission in ALLOWED[role])
