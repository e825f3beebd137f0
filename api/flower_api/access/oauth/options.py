"""What is configured of a provider of logins, in Flower's names, and the rules that it must keep.

`auth_provider` also takes the names of Flower's classes, so that its configurations start as they are.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from flower_api.access.oauth import pattern
from flower_store.settings import SettingError

if TYPE_CHECKING:
    from flower_api.settings import ApiSettings

GOOGLE, GITHUB, GITLAB, OKTA, OPENID = "google", "github", "gitlab", "okta", "oidc"

WAYS: Mapping[str, str] = MappingProxyType(
    {
        **{one: one for one in (GOOGLE, GITHUB, GITLAB, OKTA, OPENID)},
        "flower.views.auth.GoogleAuth2LoginHandler": GOOGLE,
        "flower.views.auth.GithubLoginHandler": GITHUB,
        "flower.views.auth.GitLabLoginHandler": GITLAB,
        "flower.views.auth.OktaLoginHandler": OKTA,
    }
)

GOOGLE_ISSUER = "https://accounts.google.com"

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
_NEEDED = ("oauth2_key", "oauth2_secret", "oauth2_redirect_uri")
_USELESS_ALONE = ("auth", *_NEEDED, "oauth2_okta_base_url", "oidc_issuer", "gitlab_auth_allowed_groups")
_LEVELS = range(5, 61)
"""GitLab's, from minimal access to an instance's administrator."""


def way(settings: "ApiSettings") -> str:
    """The short name of the provider."""
    return WAYS[settings.auth_provider]


def place(settings: "ApiSettings") -> str:
    """Where the provider is: its issuer, or its domain."""
    return {
        GOOGLE: GOOGLE_ISSUER,
        GITHUB: settings.github_oauth_domain,
        GITLAB: settings.gitlab_oauth_domain,
        OKTA: _okta_issuer(settings.oauth2_okta_base_url),
        OPENID: settings.oidc_issuer,
    }[way(settings)]


def _okta_issuer(base: str) -> str:
    """That of the organisation has its endpoints under /oauth2; one of its authorization servers is an issuer itself.

    https://developer.okta.com/docs/concepts/auth-servers/
    """
    return base.rstrip("/").removesuffix("/oauth2")


def check(settings: "ApiSettings") -> None:
    """Raise SettingError for what is missing, of no use or unsafe."""
    if not settings.auth_provider:
        _check_absence(settings)
        return
    if settings.auth_provider not in WAYS:
        known = f"{GOOGLE}, {GITHUB}, {GITLAB}, {OKTA}, {OPENID}"
        rule = f"must be one of {known}; classes of your own are not loaded: most providers speak OpenID Connect (oidc)"
        raise SettingError("auth_provider", settings.auth_provider, rule)
    if not (settings.auth or settings.role):
        rule = "lets everybody in who has an account there: set auth or role, too"
        raise SettingError("auth_provider", settings.auth_provider, rule)
    if not pattern.valid(settings.auth):
        rule = "must be one address, several with | between them, or one with a single .* before the @"
        raise SettingError("auth", settings.auth, rule)
    if settings.gitlab_auth_allowed_groups and way(settings) != GITLAB:
        value = ",".join(settings.gitlab_auth_allowed_groups)
        raise SettingError("gitlab_auth_allowed_groups", value, "keeps nobody out unless auth_provider is gitlab")
    _check_client(settings)
    _check_place(settings)


def _check_absence(settings: "ApiSettings") -> None:
    for name in _USELESS_ALONE:
        if getattr(settings, name):
            value = "…" if name == "oauth2_secret" else getattr(settings, name)
            raise SettingError(name, value, "lets nobody in and keeps nobody out without auth_provider")


def _check_client(settings: "ApiSettings") -> None:
    public = way(settings) == OPENID  # PKCE alone is enough for such clients (RFC 9700 §2.1.1)
    for name in _NEEDED:
        if not getattr(settings, name) and not (public and name == "oauth2_secret"):
            raise SettingError(name, "", f"must be given for auth_provider {settings.auth_provider}")
    uri = settings.oauth2_redirect_uri
    parts = _split("oauth2_redirect_uri", uri)
    if not parts.path.endswith("/login") or parts.query or parts.fragment:
        raise SettingError(
            "oauth2_redirect_uri", uri, "must be the address of the page /login, as the provider knows it"
        )
    if parts.scheme == "http" and not (_local(parts.hostname) or settings.insecure_cookies):
        rule = "must begin with https://, or browsers would not keep the session (see insecure_cookies)"
        raise SettingError("oauth2_redirect_uri", uri, rule)


def _check_place(settings: "ApiSettings") -> None:
    name = {
        GITHUB: "github_oauth_domain",
        GITLAB: "gitlab_oauth_domain",
        OKTA: "oauth2_okta_base_url",
        OPENID: "oidc_issuer",
    }.get(way(settings), "")
    value = getattr(settings, name, "")
    if name.endswith("_domain") and not _HOST.fullmatch(value):
        raise SettingError(name, value, "must be a host's name, such as git.example.com")
    if name in {"oauth2_okta_base_url", "oidc_issuer"}:
        parts = _split(name, value)
        if parts.scheme == "http" and not _local(parts.hostname):
            raise SettingError(name, value, "must begin with https://: who is on the way could say who comes in")
    if settings.gitlab_min_access_level not in _LEVELS:
        rule = f"must be from {_LEVELS.start} to {_LEVELS.stop - 1}"
        raise SettingError("gitlab_min_access_level", settings.gitlab_min_access_level, rule)
    if "openid" not in settings.oidc_scope.split():
        raise SettingError("oidc_scope", settings.oidc_scope, "must hold the word openid")


def _split(name: str, value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - raises for one that is none
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise SettingError(name, value, "must be an address that begins with https://")
    return parts


def _local(host: str | None) -> bool:
    return host in {"localhost", "127.0.0.1", "::1"} or (host or "").endswith(".localhost")
