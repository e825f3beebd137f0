"""The provider that is configured."""

import httpx2

from flower_api.access.grants import RoleRule
from flower_api.access.oauth import options
from flower_api.access.oauth.client import Client
from flower_api.access.oauth.github import GitHub
from flower_api.access.oauth.gitlab import GitLab
from flower_api.access.oauth.membership import Membership
from flower_api.access.oauth.openid import OpenId, Reading
from flower_api.access.oauth.provider import Provider
from flower_api.settings import ApiSettings


def chosen(
    settings: ApiSettings,
    membership: Membership,
    rules: tuple[RoleRule, ...],
    *,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> Provider:
    """That of `auth_provider`. Groups are asked for only where something depends on them."""
    client = Client(settings, transport=transport)
    place = options.place(settings)
    with_groups = bool(membership.groups) or any(rule.of_group for rule in rules)
    claim = settings.oidc_groups_claim if with_groups else ""
    if membership.way == options.GITHUB:
        return GitHub(client, place, membership)
    if membership.way == options.GITLAB:
        return GitLab(client, place, level=settings.gitlab_min_access_level, with_groups=with_groups)
    if membership.way == options.GOOGLE:
        return OpenId(client, way=options.GOOGLE, label="Google", issuer=place, scope="openid email", reading=Reading())
    if membership.way == options.OKTA:
        scope = "openid email groups" if with_groups else "openid email"
        reading = Reading(groups=claim)
        return OpenId(client, way=options.OKTA, label="Okta", issuer=place, scope=scope, reading=reading)
    reading = Reading(groups=claim, trust_email=settings.oidc_trust_email)
    return OpenId(
        client, way=options.OPENID, label="OpenID Connect", issuer=place, scope=settings.oidc_scope, reading=reading
    )
