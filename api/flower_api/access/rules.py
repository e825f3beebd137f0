"""What every route needs, in one table. The application does not start where a route has no rule, or a rule no route.

Addresses stand as Litestar's `path_format`, without the prefix.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from litestar.routes import BaseRoute, HTTPRoute

from flower_api.access.permissions import BY_KIND, Permission


@dataclass(frozen=True, slots=True)
class Rule:
    """Any one of `needs`; none is for everybody.

    - `writes`: no page of another site may make a browser do it.
    - `changes`: refused by an instance that only reads.
    """

    needs: tuple[Permission, ...] = ()
    writes: bool = False
    changes: bool = False


Rules: TypeAlias = Mapping[tuple[str, str], Rule]


class RulesBroken(RuntimeError):
    """The table and the routes differ."""


PUBLIC = Rule()
"""What tells nothing of any cluster, or has to be answered before anybody is known."""

READ = Rule((Permission.READ,))


def does(*needs: Permission) -> Rule:
    """It changes a cluster or what is said of it."""
    return Rule(needs, writes=True, changes=True)


def reads(*paths: str) -> Rules:
    """GET of each for whoever may read the cluster."""
    return {("GET", path): READ for path in paths}


def public(*paths: str) -> Rules:
    """GET of each for everybody."""
    return {("GET", path): PUBLIC for path in paths}


_FLOWER2 = {
    "/api/worker/shutdown/{name}": Permission.SHUTDOWN,
    "/api/worker/pool/restart/{name}": Permission.POOL,
    "/api/worker/pool/grow/{name}": Permission.POOL,
    "/api/worker/pool/shrink/{name}": Permission.POOL,
    "/api/worker/pool/autoscale/{name}": Permission.POOL,
    "/api/worker/queue/add-consumer/{name}": Permission.CONSUME,
    "/api/worker/queue/cancel-consumer/{name}": Permission.CONSUME,
    "/api/task/revoke/{task_id}": Permission.REVOKE,
    "/api/task/abort/{task_id}": Permission.ABORT,
    "/api/task/timeout/{name}": Permission.LIMIT,
    "/api/task/rate-limit/{name}": Permission.LIMIT,
    "/api/task/apply/{name}": Permission.SEND,
    "/api/task/async-apply/{name}": Permission.SEND,
    "/api/task/send-task/{name}": Permission.SEND,
}

_NATIVE = (
    "", "/collectors", "/commands", "/commands/{command_id}", "/completeness", "/errors", "/errors/{group_id}",
    "/export", "/gaps", "/names", "/queues", "/queues/{name}", "/queues/{name}/history", "/queues/{name}/messages",
    "/series", "/set-aside", "/task", "/task-counts", "/tasks", "/tasks/{task_id}", "/workers", "/workers/{hostname}",
    "/workers/{hostname}/history",
)  # fmt: skip

HEALTH = ("/healthcheck", "/healthz", "/readyz")
METRICS = ("GET", "/metrics")

API: Rules = {
    **public(*HEALTH),
    **public("/api/openapi", "/api/openapi/openapi.json", "/api/openapi/{path}"),  # Litestar's own
    **public("/api/openapi.json", "/api/docs", "/api/docs/start.js"),  # the same for all who have this build
    METRICS: Rule((Permission.METRICS,)),
    **reads("/events/stream", "/tasks/datatable", "/api/tasks", "/api/task/info", "/api/task/info/{task_id}"),
    **reads("/api/task/types", "/api/task/result/{task_id}", "/api/workers", "/api/queues/length"),
    ("POST", "/tasks/datatable"): READ,
    **{("POST", path): does(permission) for path, permission in _FLOWER2.items()},
    **reads("/api/v1/clusters", *(f"/api/v1/clusters/{{slug}}{path}" for path in _NATIVE)),
    ("POST", "/api/v1/clusters/{slug}/commands"): does(*dict.fromkeys(BY_KIND.values())),  # the handler looks closer
    ("GET", "/api/v1/audit"): Rule((Permission.AUDIT,)),
    ("GET", "/api/v1/audit/export"): Rule((Permission.AUDIT,)),
    ("GET", "/api/v1/settings"): Rule((Permission.SETTINGS,)),
    ("GET", "/api/v1/views"): Rule((Permission.OWN_VIEWS,)),
    ("PUT", "/api/v1/views"): Rule((Permission.OWN_VIEWS,), writes=True),
    ("DELETE", "/api/v1/views/{view_id}"): Rule((Permission.OWN_VIEWS,), writes=True),
    ("GET", "/api/v1/tokens"): Rule((Permission.OWN_TOKENS,)),
    # An instance that only reads must still be able to take a token back.
    ("POST", "/api/v1/tokens"): Rule((Permission.OWN_TOKENS,), writes=True),
    ("DELETE", "/api/v1/tokens/{token_id}"): Rule((Permission.OWN_TOKENS,), writes=True),
    ("PATCH", "/api/v1/clusters/{slug}/errors/{group_id}"): does(Permission.DECIDE),
}


def api(*, metrics_public: bool, health_public: bool) -> Rules:
    """The rules of the API's routes; these two doors are opened and closed for themselves."""
    opened = {METRICS: PUBLIC} if metrics_public else {}
    closed = {} if health_public else {("GET", path): Rule((Permission.READ, Permission.METRICS)) for path in HEALTH}
    return {**API, **opened, **closed}


def check(routes: Iterable[BaseRoute], rules: Rules, *, root: str, optional: Iterable[tuple[str, str]] = ()) -> None:
    """Raise RulesBroken unless each route has its rule and each rule, but for the optional, its route."""
    there = set(served(routes, root=root))
    without = sorted(there - rules.keys())
    stale = sorted(rules.keys() - there - set(optional))
    if without or stale:
        told = [f"{' '.join(each)} has no rule" for each in without] + [
            f"{' '.join(each)} is no route" for each in stale
        ]
        raise RulesBroken("; ".join(told))


def served(routes: Iterable[BaseRoute], *, root: str) -> Iterable[tuple[str, str]]:
    """Method and address, without the prefix, of all that is routed; OPTIONS tells only the methods, HEAD is a GET."""
    for route in routes:
        if not isinstance(route, HTTPRoute):
            raise RulesBroken(f"{route.path}: only HTTP routes have rules")
        for method in route.route_handler_map:
            if method not in {"OPTIONS", "HEAD"}:
                yield method, route.path_format.removeprefix(root) or "/"
