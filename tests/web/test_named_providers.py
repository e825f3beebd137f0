"""The providers that Flower names, each by the shapes that its documentation gives; and answers that are not theirs."""

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import OctKey, RSAKey
from tests.web import by_provider, recorded
from tests.web import recorded_shapes as shapes
from tests.web.recorded import Asked, Issuer, Recorded, Reply

from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings

SECRET = "the-client-s-secret"
REDIRECT = "https://flower.example.com/login"
Enter = Callable[..., httpx.Response]


@contextmanager
def door(store: StoreSettings, answers: Recorded, **more: Any) -> Generator[httpx.Client]:
    given: dict[str, Any] = {
        "oauth2_key": shapes.CLIENT,
        "oauth2_secret": SECRET,
        "oauth2_redirect_uri": REDIRECT,
        "auth": "jsmith@example.com",
    }
    with (
        recorded.serving(answers) as outgoing,
        by_provider.serving(store, ApiSettings(port=0, **(given | more)), outgoing=outgoing) as client,
    ):
        yield client


def entered(client: httpx.Client, issuer: Issuer | None = None, **answer: str) -> httpx.Response:
    """Our answer to the browser that comes back from the provider's pages."""
    query = parse_qs(urlsplit(by_provider.begun(client, "/c/default/tasks")).query)
    if issuer:
        issuer.nonce = query["nonce"][0]
    return client.get("/login", params={"code": "4/0AbCD", "state": query["state"][0], **answer})


@pytest.fixture(scope="module")
def store(postgres_url: str, migrated_template: str) -> Iterator[StoreSettings]:
    with by_provider.database(postgres_url, migrated_template, "named_providers") as made:
        yield made


@pytest.fixture
def refusals(store: StoreSettings) -> Iterator[Callable[[], list[tuple[str, str]]]]:
    """Who was refused, and why, by the log."""
    with by_provider.log(store) as read:
        yield lambda: read("actor, target->>'why'")


def test_google_lets_in_whom_auth_names(store: StoreSettings) -> None:
    answers, issuer = shapes.google()
    with door(store, answers, auth_provider="flower.views.auth.GoogleAuth2LoginHandler") as client:
        there = urlsplit(by_provider.begun(client))
        answer = entered(client, issuer)
        (exchange,) = answers.of("/token")

        assert f"{there.scheme}://{there.netloc}{there.path}" == "https://accounts.google.com/o/oauth2/v2/auth"
        assert (answer.status_code, answer.headers["location"]) == (303, "/c/default/tasks")
        assert "Log out jsmith@example.com" in client.get("/c/default/errors").text
        assert (exchange.form["redirect_uri"], exchange.form["grant_type"]) == (REDIRECT, "authorization_code")
        assert len(exchange.form["code_verifier"]) == 43
        assert exchange.headers["authorization"].startswith("Basic ")
        assert {one.path for one in answers.asked} == {
            "/.well-known/openid-configuration",
            "/token",
            "/oauth2/v3/certs",
        }


def test_no_log_holds_what_the_login_keeps_secret(
    store: StoreSettings, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    answers, issuer = shapes.google()
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx2")  # which a process of ours keeps quiet, as another test may have
    with door(store, answers, auth_provider="google", debug=True) as client:
        assert entered(client, issuer, code="4/0AbCD-the-code").status_code == 303
        (exchange,) = answers.of("/token")
        session = client.cookies["flower_session"]
    # What the browser of the tests logs is not ours.
    ours = [one for one in caplog.records if not one.name.startswith(("httpx.", "httpcore.")) and one.name != "httpx"]
    told = capsys.readouterr().out + "".join(one.getMessage() for one in ours)

    assert "HTTP Request: POST" in told
    assert "path=/login/provider" in told
    for secret in (SECRET, recorded.ACCESS_TOKEN, "the-code", exchange.form["code_verifier"], session):
        assert secret not in told


def test_github_lets_in_by_the_verified_address_that_auth_names(store: StoreSettings) -> None:
    answers = shapes.github()
    with door(store, answers, auth_provider="github") as client:
        there = urlsplit(by_provider.begun(client))
        answer = entered(client)

        assert (there.netloc, there.path) == ("github.com", "/login/oauth/authorize")
        assert parse_qs(there.query)["scope"] == ["user:email"]
        assert answer.status_code == 303
        assert "Log out jsmith@example.com" in client.get("/c/default/errors").text
        (emails,) = answers.of("/user/emails")
        assert emails.headers["authorization"] == "Bearer gho_16C7e42F292c6912E7710c838347Ae178B4a"


def test_github_enterprise_has_its_api_at_its_own_address(store: StoreSettings) -> None:
    answers = shapes.github("git.example.com", "https://git.example.com/api/v3")
    provider = "flower.views.auth.GithubLoginHandler"
    with door(store, answers, auth_provider=provider, github_oauth_domain="git.example.com") as client:
        assert entered(client).status_code == 303
        assert {one.host for one in answers.asked} == {"git.example.com"}


def test_github_s_unverified_addresses_are_nobody_s(store: StoreSettings, refusals: Callable[[], Any]) -> None:
    answers = shapes.github()
    for listed in (
        [shapes.address("jsmith@example.com", verified=False)],
        [shapes.address("octocat@github.com", primary=True)],
        [],
    ):
        answers.at("https://api.github.com/user/emails", Reply(listed))
        with door(store, answers, auth_provider="github") as client:
            assert entered(client).status_code == 403

    assert refusals() == [("unknown", "no verified address"), ("octocat@github.com", "no member"),
                          ("unknown", "no verified address")]  # fmt: skip


def test_github_says_with_200_that_a_code_is_none(store: StoreSettings, refusals: Callable[[], Any]) -> None:
    answers = shapes.github()
    told = {"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."}
    answers.at("https://github.com/login/oauth/access_token", Reply(told))
    with door(store, answers, auth_provider="github") as client:
        answer = entered(client)

    assert (answer.status_code, "did not let you in" in answer.text) == (403, True)
    assert refusals() == [("unknown", "bad_verification_code")]


@pytest.mark.parametrize(
    ("groups", "in_"), [(["a", "b", "c", "d", "ops/backend"], True), (["ops", "ops/backend-2", "OPS/backend"], False)]
)
def test_gitlab_s_groups_are_asked_for_page_by_page(store: StoreSettings, groups: list[str], in_: bool) -> None:
    answers = shapes.gitlab(groups)
    named: dict[str, Any] = {
        "auth_provider": "flower.views.auth.GitLabLoginHandler",
        "gitlab_oauth_domain": "git.example.com",
        "gitlab_auth_allowed_groups": ("ops/backend", "ops/frontend"),
        "gitlab_min_access_level": 30,
    }
    with door(store, answers, **named) as client:
        there = urlsplit(by_provider.begun(client))
        answer = entered(client)

        assert (there.netloc, parse_qs(there.query)["scope"]) == ("git.example.com", ["read_api"])
        assert (answer.status_code == 303) == in_
        pages = answers.of("/api/v4/groups")
        assert [one.query["page"] for one in pages] == ["1", "2", "3"][: (len(groups) + 1) // 2]
        assert {one.query["min_access_level"] for one in pages} == {"30"}


def test_gitlab_s_groups_give_roles_by_their_paths(store: StoreSettings) -> None:
    answers = shapes.gitlab(["ops/backend"])
    role = ("viewer=group:ops/backend",)
    with door(store, answers, auth_provider="gitlab", gitlab_oauth_domain="git.example.com", role=role) as client:
        entered(client)

        assert client.get("/api/v1/clusters").status_code == 200
        assert answers.of("/api/v4/groups")[0].query["min_access_level"] == "20"


def test_gitlab_s_address_counts_once_it_is_confirmed(store: StoreSettings) -> None:
    answers = shapes.gitlab([], confirmed_at=None)
    with door(store, answers, auth_provider="gitlab", gitlab_oauth_domain="git.example.com") as client:
        assert entered(client).status_code == 403
        assert answers.of("/api/v4/groups") == []


@pytest.mark.parametrize(
    ("base", "issuer"),
    [
        ("https://example.okta.com/oauth2", "https://example.okta.com"),
        ("https://example.okta.com/oauth2/default", "https://example.okta.com/oauth2/default"),
    ],
)
def test_okta_is_an_issuer_and_tells_groups_where_roles_depend_on_them(
    store: StoreSettings, base: str, issuer: str
) -> None:
    answers, signer = shapes.okta(base, issuer)
    provider = {"auth_provider": "flower.views.auth.OktaLoginHandler", "oauth2_okta_base_url": base}
    with door(store, answers, **provider, role=("operator=group:Operators",)) as client:
        there = by_provider.begun(client)
        answer = entered(client, signer)

        assert there.startswith(f"{base}/v1/authorize?")
        assert parse_qs(urlsplit(there).query)["scope"] == ["openid email groups"]
        assert (answer.status_code, client.get("/api/v1/clusters").status_code) == (303, 200)


def test_okta_s_userinfo_must_be_of_the_same_user(store: StoreSettings, refusals: Callable[[], Any]) -> None:
    answers, signer = shapes.okta("https://example.okta.com/oauth2", "https://example.okta.com")
    other = {"sub": "00uanother", "email": "jsmith@example.com", "email_verified": True}
    answers.at("https://example.okta.com/oauth2/v1/userinfo", Reply(other))
    with door(store, answers, auth_provider="okta", oauth2_okta_base_url="https://example.okta.com/oauth2") as client:
        assert entered(client, signer).status_code == 502

    assert refusals() == [("unknown", "userinfo of another")]


def another_key(issuer: Issuer) -> None:
    issuer.key = RSAKey.generate_key(2048, {"kid": "one"})


def unknown_key(issuer: Issuer) -> None:
    issuer.header = {"alg": "RS256", "kid": "two"}


def signed_with_the_secret(issuer: Issuer) -> None:
    issuer.key, issuer.header = OctKey.import_key(SECRET), {"alg": "HS256"}  # type: ignore[assignment]


TAMPERED: dict[str, tuple[dict[str, object], Callable[[Issuer], None], str]] = {
    "of another login (its nonce)": ({"nonce": "of-another-login"}, lambda _: None, "InvalidClaimError nonce"),
    "without a nonce": ({"nonce": None}, lambda _: None, "MissingClaimError nonce"),
    "of another issuer": ({"iss": "https://evil.example"}, lambda _: None, "InvalidClaimError iss"),
    "for another client": ({"aud": "other", "azp": shapes.CLIENT}, lambda _: None, "InvalidClaimError aud"),
    "for several, asked for by another": (
        {"aud": [shapes.CLIENT, "other"], "azp": "other"},
        lambda _: None,
        "InvalidClaimError azp",
    ),
    "over": ({"exp": int(time.time()) - 600}, lambda _: None, "ExpiredTokenError exp"),
    "without an end": ({"exp": None}, lambda _: None, "MissingClaimError exp"),
    "of another access token": ({"at_hash": "b5fG8Jx6n0QZxWQb1l5Rww"}, lambda _: None, "InvalidClaimError at_hash"),
    "signed with another key": ({}, another_key, "BadSignatureError"),
    "signed with a key that is not there": ({}, unknown_key, "InvalidKeyIdError"),
    "signed with our own secret": ({}, signed_with_the_secret, "UnsupportedAlgorithmError"),
}


@pytest.fixture(scope="module")
def tampering(store: StoreSettings) -> Iterator[tuple[httpx.Client, Issuer, Recorded]]:
    """One door for all tampered tokens."""
    answers, issuer = shapes.google()
    with door(store, answers, auth_provider="google") as client:
        yield client, issuer, answers


@pytest.mark.parametrize("name", TAMPERED)
def test_an_id_token_that_is_not_the_provider_s_for_this_login_opens_nothing(
    tampering: tuple[httpx.Client, Issuer, Recorded], refusals: Callable[[], Any], name: str
) -> None:
    client, issuer, answers = tampering
    client.cookies.clear()
    claims, change, why = TAMPERED[name]
    usual = dict(issuer.claims), issuer.key, dict(issuer.header)
    published = issuer.keys(Asked("GET", "", "", {}, {}, {}))
    answers.at("https://www.googleapis.com/oauth2/v3/certs", published)
    issuer.claims |= claims
    change(issuer)
    answer = entered(client, issuer)
    issuer.claims, issuer.key, issuer.header = usual

    assert (answer.status_code, "could not be trusted" in answer.text) == (502, True)
    assert refusals() == [("unknown", f"id token: {why}")]
    assert client.get("/api/v1/clusters").status_code == 401
    assert entered(client, issuer).status_code == 303


def test_a_key_that_the_provider_has_changed_is_fetched_anew(
    tampering: tuple[httpx.Client, Issuer, Recorded],
) -> None:
    client, issuer, answers = tampering
    entered(client, issuer)
    usual = issuer.key, dict(issuer.header)
    issuer.key, issuer.header = RSAKey.generate_key(2048, {"kid": "new"}), {"alg": "RS256", "kid": "new"}
    answers.at("https://www.googleapis.com/oauth2/v3/certs", issuer.keys)
    answer = entered(client, issuer)
    issuer.key, issuer.header = usual

    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("path", "reply", "said"),
    [
        ("https://oauth2.googleapis.com/token", Reply(b"<html>busy</html>", 503), "does not answer"),
        ("https://oauth2.googleapis.com/token", Reply(b"<html>", 200), "could not be trusted"),
        ("https://oauth2.googleapis.com/token", Reply(["x"], 200), "could not be trusted"),
        ("https://oauth2.googleapis.com/token", Reply({"token_type": "Bearer"}), "could not be trusted"),
        (
            "https://oauth2.googleapis.com/token",
            Reply({"access_token": "a", "expires_in": ["x"]}),
            "could not be trusted",
        ),
        (
            "https://oauth2.googleapis.com/token",
            Reply({"access_token": "a", "id_token": "x.y.z"}),
            "could not be trusted",
        ),
        ("https://oauth2.googleapis.com/token", Reply({"error": "invalid_client"}, 401), "did not let you in"),
        ("https://oauth2.googleapis.com/token", Reply(b"", 302, {"Location": "http://169.254.169.254/"}), "not answer"),
    ],
)
def test_whatever_a_provider_answers_the_reader_gets_a_page_that_tells_no_secret(
    tampering: tuple[httpx.Client, Issuer, Recorded], path: str, reply: Reply, said: str
) -> None:
    client, issuer, answers = tampering
    answers.at(path, reply)
    answer = entered(client, issuer)
    answers.at(path, issuer.token)

    assert (answer.status_code in {403, 502}, said in answer.text) == (True, True)
    assert SECRET not in answer.text
    assert {one.host for one in answers.asked} <= {"accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"}


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://oauth2.googleapis.com/token"},
        {"jwks_uri": None},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    ],
)
def test_metadata_that_cannot_be_trusted_ends_the_login(store: StoreSettings, change: dict[str, object]) -> None:
    answers, issuer = shapes.google()
    address = "https://accounts.google.com/.well-known/openid-configuration"
    body = answers.answers["accounts.google.com", "/.well-known/openid-configuration"](
        Asked("", "", "", {}, {}, {})
    ).body
    assert isinstance(body, dict)
    answers.at(address, Reply(body | change))
    with door(store, answers, auth_provider="google") as client:
        began = client.get("/login/provider")
        answer = entered(client, issuer) if began.status_code == 303 else began

    assert (answer.status_code, "could not be trusted" in answer.text) == (502, True)


def test_an_answer_of_another_issuer_is_none(tampering: tuple[httpx.Client, Issuer, Recorded]) -> None:
    """RFC 9207: mixed-up providers."""
    client, issuer, _ = tampering

    assert entered(client, issuer, iss="https://evil.example").status_code == 502
