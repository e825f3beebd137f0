"""A reader comes in by a real provider in a real browser, acts as a group allows, is logged out by time and by hand."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.api import written
from tests.services import oidc_provider
from tests.services.oidc_provider import OidcProvider
from tests.waiting import eventually
from tests.web import by_provider

from flower_store.settings import StoreSettings

ACCOUNTS: dict[str, dict[str, object]] = {
    "olga": {"email": "olga@example.com", "email_verified": True, "groups": ["backend"]},
    "vic": {"email": "vic@example.com", "email_verified": True, "groups": ["support"]},
    "nobody": {"email": "nobody@example.com", "email_verified": True, "groups": []},
}
ROLES = ("operator=group:backend", "viewer=group:support")
PORT = by_provider.free_port()


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider.running(ACCOUNTS, [f"http://127.0.0.1:{PORT}/login"]) as running:
        yield running


@contextmanager
def reading(browser: Browser, store: StoreSettings, issuer: str, **more: Any) -> Generator[Page]:
    """A page of a fresh browser before a Flower with one failed task."""
    failing = written.an_event("failed", "t", 2, exception="ValueError('no card')", traceback="...")
    written.into(store, "default", [written.an_event("received", "t", name="shop.pay"), failing])
    settings = by_provider.settings(issuer, port=PORT, role=ROLES, **more)
    with by_provider.serving(store, settings) as client:
        context = browser.new_context(base_url=str(client.base_url))
        context.route("https://fonts.googleapis.com/**", lambda route: route.abort())  # the provider's pages want some
        page = context.new_page()
        ours = str(client.base_url)
        problems: list[str] = []
        page.on(
            "console",
            lambda told: problems.append(told.text) if ours in page.url and "Content Security" in told.text else None,
        )
        yield page
        context.close()
    assert problems == []


def log_in(page: Page, name: str) -> None:
    """On the provider's pages, which come after our link."""
    page.get_by_role("link", name="Log in with OpenID Connect").click()
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_an_operator_comes_in_by_a_group_decides_and_logs_out(
    browser: Browser, store: StoreSettings, provider: OidcProvider
) -> None:
    with reading(browser, store, provider.issuer) as page:
        page.goto("/c/default/errors")
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        log_in(page, "olga")
        page.wait_for_url("**/c/default/errors")
        page.get_by_role("button", name="Resolve").click()
        expect(page.get_by_text("No open errors")).to_be_visible()
        assert page.evaluate("document.cookie") == ""
        ours = [one for one in page.context.cookies() if one.get("name", "").startswith("flower")]
        assert [(one.get("name"), one.get("httpOnly"), one.get("sameSite")) for one in ours] == [
            ("flower_session", True, "Lax")
        ]

        page.get_by_role("link", name="Log out olga@example.com").first.click()
        page.get_by_role("button", name="Log out here").click()
        expect(page.get_by_role("heading", name="You have been logged out")).to_be_visible()
        page.goto("/c/default/errors")
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_viewer_by_a_group_cannot_decide_and_one_without_is_refused(
    browser: Browser, store: StoreSettings, provider: OidcProvider
) -> None:
    with reading(browser, store, provider.issuer) as page:
        page.goto("/login?next=/c/default/errors")
        log_in(page, "vic")
        expect(page.get_by_role("button", name="Resolve")).to_have_attribute("aria-disabled", "true")

        page.context.clear_cookies()
        page.goto("/login?next=/c/default/errors")
        log_in(page, "nobody")
        expect(page.get_by_role("alert")).to_contain_text("Access denied")
        page.goto("/c/default/errors")
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_session_that_is_over_leads_back_by_the_provider_s_own(
    browser: Browser, store: StoreSettings, provider: OidcProvider
) -> None:
    with reading(browser, store, provider.issuer, session_lifetime=timedelta(seconds=2)) as page:
        page.goto("/login?next=/c/default/errors")
        log_in(page, "vic")
        page.wait_for_url("**/c/default/errors")

        eventually(lambda: "/login?next=" in ((page.goto("/c/default/errors") and page.url) or ""))
        page.get_by_role("link", name="Log in with OpenID Connect").click()
        page.wait_for_url("**/c/default/errors")
        expect(page.get_by_role("button", name="Resolve")).to_be_visible()


def test_who_declines_at_the_provider_is_told(browser: Browser, store: StoreSettings, provider: OidcProvider) -> None:
    with reading(browser, store, provider.issuer) as page:
        page.goto("/login?next=/c/default/errors")
        page.get_by_role("link", name="Log in with OpenID Connect").click()
        page.get_by_role("link", name="[ Cancel ]").click()

        expect(page.get_by_role("alert")).to_contain_text("did not let you in")
        expect(page.get_by_role("link", name="Log in with OpenID Connect")).to_have_attribute(
            "href", "/login/provider?next=%2Fc%2Fdefault%2Ferrors"
        )
