"""What may be configured of a provider of logins: nothing that keeps nobody out may seem to."""

from typing import Any

import pytest

from flower_api.access.oauth import options
from flower_api.settings import ApiSettings
from flower_store.settings import SettingError

USUAL: dict[str, Any] = {
    "auth": ".*@example.com",
    "auth_provider": "oidc",
    "oauth2_key": "flower",
    "oauth2_secret": "a secret",
    "oauth2_redirect_uri": "https://flower.example.com/login",
    "oidc_issuer": "https://id.example.com/realms/main",
}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"oauth2_secret": ""},
        {"auth": "", "role": ("viewer=group:dev",)},
        {"oauth2_redirect_uri": "http://localhost:5555/login"},
        {"oauth2_redirect_uri": "https://example.com/tools/flower/login"},
        {"oidc_issuer": "http://localhost:8080/realms/main"},
        {"auth_provider": "flower.views.auth.GoogleAuth2LoginHandler", "oidc_issuer": ""},
        {"auth_provider": "flower.views.auth.GithubLoginHandler", "github_oauth_domain": "git.example.com:8443"},
        {"auth_provider": "flower.views.auth.GitLabLoginHandler", "gitlab_auth_allowed_groups": ("a/b",)},
        {"auth_provider": "flower.views.auth.OktaLoginHandler", "oauth2_okta_base_url": "https://e.okta.com/oauth2"},
        {"address": "0.0.0.0"},
    ],
)
def test_a_provider_is_configured_access(more: dict[str, Any]) -> None:
    assert ApiSettings(**(USUAL | more)).access_configured


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"auth_provider": ""}, "auth"),
        ({"auth_provider": "", "auth": ""}, "oauth2_key"),
        ({"auth_provider": "myproject.auth.LoginHandler"}, "auth_provider"),
        ({"auth": ""}, "auth_provider"),
        ({"auth": ".*@.*"}, "auth"),
        ({"auth": ".*example.com"}, "auth"),
        ({"oauth2_key": ""}, "oauth2_key"),
        ({"auth_provider": "google", "oauth2_secret": ""}, "oauth2_secret"),
        ({"oauth2_redirect_uri": ""}, "oauth2_redirect_uri"),
        ({"oauth2_redirect_uri": "https://flower.example.com/"}, "oauth2_redirect_uri"),
        ({"oauth2_redirect_uri": "https://flower.example.com/login?next=/"}, "oauth2_redirect_uri"),
        ({"oauth2_redirect_uri": "http://flower.example.com/login"}, "oauth2_redirect_uri"),
        ({"oauth2_redirect_uri": "/login"}, "oauth2_redirect_uri"),
        ({"oidc_issuer": ""}, "oidc_issuer"),
        ({"oidc_issuer": "id.example.com"}, "oidc_issuer"),
        ({"oidc_issuer": "https://user:password@id.example.com"}, "oidc_issuer"),
        ({"oidc_issuer": "https://id.example.com:port"}, "oidc_issuer"),
        ({"oidc_issuer": "http://id.example.com"}, "oidc_issuer"),
        ({"oidc_issuer": "file:///etc/passwd"}, "oidc_issuer"),
        ({"oidc_scope": "email"}, "oidc_scope"),
        ({"auth_provider": "okta"}, "oauth2_okta_base_url"),
        ({"auth_provider": "github", "github_oauth_domain": "https://git.example.com/"}, "github_oauth_domain"),
        ({"auth_provider": "gitlab", "gitlab_oauth_domain": "user@git.example.com"}, "gitlab_oauth_domain"),
        ({"auth_provider": "gitlab", "gitlab_min_access_level": 0}, "gitlab_min_access_level"),
        ({"gitlab_auth_allowed_groups": ("a/b",)}, "gitlab_auth_allowed_groups"),
        ({"role": ("chief=a",)}, "role"),
    ],
)
def test_what_is_missing_useless_or_unsafe_is_refused_by_name(more: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingError) as refused:
        ApiSettings(**(USUAL | more))

    assert refused.value.name == name
    assert "a secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("base", "issuer"),
    [
        ("https://e.okta.com/oauth2", "https://e.okta.com"),
        ("https://e.okta.com/oauth2/", "https://e.okta.com"),
        ("https://e.okta.com/oauth2/default", "https://e.okta.com/oauth2/default"),
        ("https://e.okta.com", "https://e.okta.com"),
    ],
)
def test_okta_s_base_leads_to_its_issuer(base: str, issuer: str) -> None:
    okta: dict[str, Any] = {"auth_provider": "okta", "oauth2_okta_base_url": base}
    settings = ApiSettings(**(USUAL | okta))

    assert options.place(settings) == issuer
