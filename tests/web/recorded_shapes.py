"""The shapes of the answers of Google, GitHub, GitLab and Okta, each from the documentation that its function names."""

from tests.web.recorded import Asked, Issuer, Recorded, Reply

CLIENT = "1234987819200.apps.googleusercontent.com"


def google() -> tuple[Recorded, Issuer]:
    """https://developers.google.com/identity/openid-connect/openid-connect: discovery document, token, payload."""
    answers, issuer = Recorded(), Issuer("https://accounts.google.com", CLIENT)
    issuer.claims = {
        "azp": CLIENT,
        "sub": "10769150350006150715113082367",
        "hd": "example.com",
        "email": "jsmith@example.com",
        "email_verified": "true",  # so in the documentation; true in life
    }
    answers.at(
        "https://accounts.google.com/.well-known/openid-configuration",
        Reply(
            {
                "issuer": "https://accounts.google.com",
                "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
                "device_authorization_endpoint": "https://oauth2.googleapis.com/device/code",
                "token_endpoint": "https://oauth2.googleapis.com/token",
                "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
                "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
                "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
                "response_types_supported": ["code", "token", "id_token", "none"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "iss", "name", "sub"],
                "code_challenge_methods_supported": ["plain", "S256"],
            }
        ),
    )
    answers.at("https://oauth2.googleapis.com/token", issuer.token)
    answers.at("https://www.googleapis.com/oauth2/v3/certs", issuer.keys)
    return answers, issuer


def github(site: str = "github.com", api: str = "https://api.github.com") -> Recorded:
    """https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps and …/rest/users/emails."""
    answers = Recorded()
    token = {"access_token": "gho_16C7e42F292c6912E7710c838347Ae178B4a", "scope": "user:email", "token_type": "bearer"}
    answers.at(f"https://{site}/login/oauth/access_token", Reply(token))
    answers.at(
        f"{api}/user/emails", Reply([address("octocat@github.com", primary=True), address("JSmith@example.com")])
    )
    return answers


def address(email: str, *, verified: bool = True, primary: bool = False) -> dict[str, object]:
    return {"email": email, "verified": verified, "primary": primary, "visibility": "public" if primary else None}


def gitlab(groups: list[str], *, confirmed_at: str | None = "2012-05-23T09:05:22Z") -> Recorded:
    """https://docs.gitlab.com/api/oauth2/, …/api/users/ (current user), …/api/groups/ and …/api/rest/ (pagination)."""
    answers = Recorded()
    token = {
        "access_token": "de6780bc506a0446309bd9362820ba8aed28aa506c71eedbe1c5c4f9dd350e54",
        "token_type": "bearer",
        "expires_in": 7200,
        "refresh_token": "8257e65c97202ed1726cf9571600918f3bffb2544b26e00a61df9897668c33a1",
        "created_at": 1607635748,
    }
    user = {
        "id": 1,
        "username": "jsmith",
        "email": "jsmith@example.com",
        "name": "John Smith",
        "state": "active",
        "locked": False,
        "created_at": "2012-05-23T08:00:58Z",
        "confirmed_at": confirmed_at,
        "two_factor_enabled": True,
    }

    def page(asked: Asked) -> Reply:
        at, size = int(asked.query["page"]), 2
        shown = groups[(at - 1) * size : at * size]
        more = str(at + 1) if at * size < len(groups) else ""
        body = [{"id": one, "name": path, "path": path.rpartition("/")[2], "full_path": path, "visibility": "private"}
                for one, path in enumerate(shown, 1)]  # fmt: skip
        headers = {"x-page": str(at), "x-per-page": str(size), "x-next-page": more, "x-total": str(len(groups))}
        return Reply(body, headers=headers)

    answers.at("https://git.example.com/oauth/token", Reply(token))
    answers.at("https://git.example.com/api/v4/user", Reply(user))
    answers.at("https://git.example.com/api/v4/groups", page)
    return answers


def okta(base: str, issuer_name: str) -> tuple[Recorded, Issuer]:
    """https://developer.okta.com/docs/api/openapi/okta-oauth/ and …/docs/concepts/auth-servers/.

    The organisation's own server is `https://….okta.com` with its endpoints under /oauth2/v1; its id tokens have no
    `email_verified`, which userinfo has.
    """
    answers, issuer = Recorded(), Issuer(issuer_name, CLIENT)
    issuer.claims = {
        "sub": "00uid4BxXw6I6TV4m0g3",
        "ver": 1,
        "jti": "ID.4eAWJOCMB3SX8XewDfVR",
        "amr": ["pwd"],
        "idp": "00ok1u7AsAkrwdZL3z0g3",
        "name": "John Smith",
        "email": "jsmith@example.com",
        "preferred_username": "jsmith@example.com",
        "auth_time": 1449624026,
    }
    answers.at(
        f"{issuer_name}/.well-known/openid-configuration",
        Reply(
            {
                "issuer": issuer_name,
                "authorization_endpoint": f"{base}/v1/authorize",
                "token_endpoint": f"{base}/v1/token",
                "userinfo_endpoint": f"{base}/v1/userinfo",
                "registration_endpoint": "https://example.okta.com/oauth2/v1/clients",
                "jwks_uri": f"{base}/v1/keys",
                "response_types_supported": ["code", "id_token", "code id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile", "groups", "offline_access"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "code_challenge_methods_supported": ["S256"],
            }
        ),
    )
    answers.at(f"{base}/v1/token", issuer.token)
    answers.at(f"{base}/v1/keys", issuer.keys)
    userinfo = {"sub": "00uid4BxXw6I6TV4m0g3", "email": "jsmith@example.com", "email_verified": True,
                "groups": ["Everyone", "Operators"], "zoneinfo": "America/Los_Angeles"}  # fmt: skip
    answers.at(f"{base}/v1/userinfo", Reply(userinfo))
    return answers, issuer
