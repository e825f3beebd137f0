"""The API's settings, each declared once; `cli/` makes flags, variables and keys of them."""

import ipaddress
import math
import re
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from prometheus_client import Histogram
from prometheus_client.utils import floatToGoString

from flower_api.access import grants, passwords, proxies
from flower_api.access.oauth import options
from flower_store.settings import SettingError, setting

_LARGEST_PORT = 65_535
_PREFIX = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*")
_MODE = re.compile(r"0?[0-7]{3}")
_NOTHING = timedelta(0)
_SHORTEST_SECRET = 16
_FEWEST_SERIES, _MOST_SERIES = 10, 1_000_000
_MOST_BOUNDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Where the API listens and how it treats its clients."""

    address: str = setting(
        "127.0.0.1",
        help="Address to listen on; 0.0.0.0 is all of them, and needs a login or unauthenticated_api.",
    )
    port: int = setting(5555, help="Port to listen on; 0 takes a free one.")
    url_prefix: str = setting("", help="Path under which everything is served, such as /flower.")
    unix_socket: str = setting(
        "",
        metavar="PATH",
        help="Listen on this Unix socket in place of address and port; needs a login or a proxy's word.",
    )
    unix_socket_mode: str = setting("0660", metavar="MODE", help="Who may connect to it: its mode, in octal digits.")
    certfile: str = setting("", metavar="FILE", help="Certificate, and those that it needs, in PEM: answer by TLS.")
    keyfile: str = setting("", metavar="FILE", help="Its private key in PEM; by default it stands in certfile.")
    ca_certs: str = setting(
        "", metavar="FILE", help="Authorities in PEM: clients must have a certificate that one of them signed."
    )
    xheaders: bool = setting(
        False,
        help="Take client, scheme, host and prefix from X-Forwarded-For, -Proto, -Host, -Prefix of trusted_proxies.",
    )
    forwarded: bool = setting(
        False, help="Take client, scheme and host from Forwarded (RFC 7239) of trusted_proxies, in place of xheaders."
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        metavar="ADDRESS,NETWORK,…",
        help="Proxies whose word is taken, such as 10.0.0.7,fd00::/8; unix is whoever comes by the Unix socket.",
    )
    proxy_user_header: str = setting(
        "", metavar="HEADER", help="Header by which trusted_proxies say who somebody is, such as X-Forwarded-User."
    )
    proxy_email_header: str = setting(
        "", metavar="HEADER", help="Header by which they tell the e-mail address, such as X-Forwarded-Email."
    )
    proxy_groups_header: str = setting(
        "", metavar="HEADER", help="Header by which they tell groups, with commas, such as X-Forwarded-Groups."
    )
    unauthenticated_api: bool = setting(
        False,
        help="Answer anybody who can reach the port: without it only this machine is answered.",
    )
    metrics_public: bool = setting(
        False, help="Answer /metrics to everybody who reaches the port, as Flower 2 did; it names tasks and workers."
    )
    health_public: bool = setting(
        True, help="Answer /healthcheck, /healthz and /readyz to everybody; without it probes need a login or a token."
    )
    basic_auth: tuple[str, ...] = setting(
        (),
        secret=True,
        metavar="USER:PASSWORD,…",
        help="Who may log in, as Flower's option; in place of a password may stand what `flower hash-password` prints.",
    )
    auth: str = setting(
        "",
        metavar="PATTERN",
        help="Flower's: which e-mail addresses come in by auth_provider: one, several with |, or .*@example.com.",
    )
    auth_provider: str = setting(
        "",
        metavar="google|github|gitlab|okta|oidc",
        help="Who says who somebody is: one of these, or Flower's name of a class; oidc is any other provider.",
    )
    oauth2_key: str = setting("", help="Id of the client that Flower is to the provider.")
    oauth2_secret: str = setting("", secret=True, help="Secret of that client; one of oidc may have none.")
    oauth2_redirect_uri: str = setting(
        "",
        metavar="URL",
        help="Address of our page /login, just as the provider was told it: https://flower.example.com/login.",
    )
    github_oauth_domain: str = setting("github.com", help="That of GitHub Enterprise Server, for github.")
    gitlab_oauth_domain: str = setting("gitlab.com", help="That of a GitLab of your own, for gitlab.")
    gitlab_auth_allowed_groups: tuple[str, ...] = setting(
        (), help="GitLab: full paths of groups, of which one must be theirs; by default none is asked for."
    )
    gitlab_min_access_level: int = setting(
        20, help="GitLab: the least access level in a group that makes it theirs; 20 is reporter."
    )
    oauth2_okta_base_url: str = setting(
        "", metavar="URL", help="Okta: https://example.okta.com/oauth2, or the issuer of one of its servers."
    )
    oidc_issuer: str = setting(
        "", metavar="URL", help="Issuer of the provider for oidc; where its endpoints are is asked there (discovery)."
    )
    oidc_scope: str = setting("openid email profile", help="What oidc is asked for; some tell groups only if asked.")
    oidc_groups_claim: str = setting(
        "groups", help="Claim with the groups of oidc and okta, such as roles or realm_access.roles."
    )
    oidc_trust_email: bool = setting(
        False,
        help="Take e-mail addresses of oidc as proven though the provider does not say so.",
    )
    role: tuple[str, ...] = setting(
        (),
        metavar="ROLE=PATTERN,…",
        help="Roles by name, e-mail or group, such as admin=alice,operator/prod=*@example.com,viewer=group:dev; "
        "without any, all who come in are admins.",
    )
    cookie_secret: tuple[str, ...] = setting(
        (),
        secret=True,
        metavar="SECRET,…",
        help="What sessions are encrypted with: the first one closes, each opens; by default one in the database.",
    )
    session_idle: timedelta = setting(timedelta(hours=12), help="A session that is unused for so long is over.")
    session_lifetime: timedelta = setting(timedelta(days=7), help="A session is over after so long, used or not.")
    insecure_cookies: bool = setting(
        False, help="Let sessions go over connections without TLS, where everybody on the way can take them."
    )
    read_only: bool = setting(False, help="Refuse every request that would change something, as Flower's option did.")
    task_runtime_metric_buckets: tuple[str, ...] = setting(
        tuple(map(floatToGoString, Histogram.DEFAULT_BUCKETS)),
        help="Upper bounds in seconds of the run times that /metrics tells; inf may be left out.",
    )
    purge_offline_workers: timedelta | None = setting(
        None,
        help="Leave workers that are offline for longer than this out of /metrics and out of the list of workers; by "
        "default never.",
    )
    metrics_series: int = setting(
        10_000,
        help="Series of events that /metrics tells by worker and task; where living workers have more, it tells them "
        "by task alone.",
    )
    live_interval: timedelta = setting(
        timedelta(seconds=0.5), help="A page is told of changes at most once in this time."
    )
    live_streams: int = setting(
        1_000, help="Pages that one process keeps up to date at a time; more are asked to poll."
    )
    stop_timeout: timedelta = setting(timedelta(seconds=20), help="How long a stop waits for requests under way.")
    debug: bool = setting(False, help="Log each request; never what it carried.")

    def __post_init__(self) -> None:
        """Check each value; raises SettingError."""
        for name, least, most in (("port", 0, _LARGEST_PORT), ("live_streams", 1, 100_000)):
            if not least <= getattr(self, name) <= most:
                raise SettingError(name, getattr(self, name), f"must be from {least} to {most}")
        self._check_metrics()
        for name in ("live_interval", "stop_timeout", "session_idle", "session_lifetime"):
            if getattr(self, name) <= _NOTHING:
                raise SettingError(name, getattr(self, name), "must be longer than nothing")
        if self.url_prefix.strip("/") and not _PREFIX.fullmatch(self.url_prefix.strip("/")):
            raise SettingError("url_prefix", self.url_prefix, "must be a path of letters, digits and . _ ~ -")
        self._check_listening()
        self._check_access()

    def _check_listening(self) -> None:
        if not _MODE.fullmatch(self.unix_socket_mode):
            raise SettingError("unix_socket_mode", self.unix_socket_mode, "must be octal digits such as 0660")
        for name in ("keyfile", "ca_certs"):
            if getattr(self, name) and not self.certfile:
                raise SettingError(name, getattr(self, name), "is of no use without certfile")
        if self.unix_socket and not (self.access_configured or self.unauthenticated_api):
            rule = (
                "must not stand without access, because whoever comes by a proxy would come in: set basic_auth, "
                "auth_provider or proxy_user_header, or turn on unauthenticated_api"
            )
            raise SettingError("unix_socket", self.unix_socket, rule)

    def _check_access(self) -> None:
        try:
            passwords.parsed(self.basic_auth)
        except passwords.BadUser as error:
            raise SettingError("basic_auth", "…", str(error)) from None
        if any(len(secret) < _SHORTEST_SECRET for secret in self.cookie_secret):
            raise SettingError("cookie_secret", "…", f"each must have at least {_SHORTEST_SECRET} characters")
        try:
            grants.parsed(self.role)
        except grants.BadRule as error:
            raise SettingError("role", ",".join(self.role), str(error)) from None
        options.check(self)
        proxies.check(self)
        if self.role and not self.access_configured:
            rule = "gives roles to users, and there are none: see basic_auth, auth_provider and proxy_user_header"
            raise SettingError("role", ",".join(self.role), rule)
        if not (self.unauthenticated_api or self.access_configured or is_loopback(self.address)):
            rule = (
                "must be a loopback address such as 127.0.0.1, because nothing else protects the API; set basic_auth "
                "or auth_provider, or turn on unauthenticated_api to let everybody in who can reach the port"
            )
            raise SettingError("address", self.address, rule)

    def _check_metrics(self) -> None:
        if not _FEWEST_SERIES <= self.metrics_series <= _MOST_SERIES:
            rule = f"must be from {_FEWEST_SERIES} to {_MOST_SERIES}"
            raise SettingError("metrics_series", self.metrics_series, rule)
        if self.purge_offline_workers is not None and self.purge_offline_workers < _NOTHING:
            raise SettingError("purge_offline_workers", self.purge_offline_workers, "must not be less than nothing")
        name, words = "task_runtime_metric_buckets", self.task_runtime_metric_buckets
        try:
            bounds = [float(word) for word in words]
        except ValueError:
            raise SettingError(name, ",".join(words), "must be numbers, or inf") from None
        if len(bounds) > _MOST_BOUNDS:
            raise SettingError(name, ",".join(words), f"must be at most {_MOST_BOUNDS}")
        rising = all(low < high for low, high in pairwise(bounds))  # false where one is no number (nan)
        if not rising or not bounds or not bounds[0] > 0 or bounds == [math.inf]:
            raise SettingError(name, ",".join(words), "must be seconds above 0, each more than the one before")

    @property
    def runtime_bounds(self) -> tuple[float, ...]:
        """Upper bounds of run times in seconds; the last is infinite."""
        bounds = tuple(float(word) for word in self.task_runtime_metric_buckets)
        return bounds if math.isinf(bounds[-1]) else (*bounds, math.inf)

    @property
    def access_configured(self) -> bool:
        """Whether one has to come in by a login, a token, or a proxy that says who it is."""
        return self.has_login or bool(self.proxy_user_header)

    @property
    def has_login(self) -> bool:
        """Whether there is a page of ours to log in."""
        return bool(self.basic_auth or self.auth_provider)

    @property
    def root(self) -> str:
        """The prefix as it stands before each path: empty, or with a slash before and none behind."""
        bare = self.url_prefix.strip("/")
        return f"/{bare}" if bare else ""


def is_loopback(address: str) -> bool:
    """Whether an address (or `localhost`) can be reached from this machine alone."""
    if address == "localhost":
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return found.is_loopback or (mapped is not None and mapped.is_loopback)
