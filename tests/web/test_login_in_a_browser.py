"""A reader logs in, acts and logs out, in a real browser."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.api import written

from flower_api.server import Server
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings
from flower_web.app import create_app

SETTINGS = ApiSettings(port=0, basic_auth=("olga:o", "vic:v"), role=("operator=olga", "viewer=vic"))


@pytest.fixture
def address(store: StoreSettings) -> Iterator[str]:
    failing = written.an_event("failed", "t", 2, exception="ValueError('no card')", traceback="...")
    written.into(store, "default", [written.an_event("received", "t", name="shop.pay"), failing])
    server, ready = Server(create_app(SETTINGS, store), SETTINGS), threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,), name="door")
    thread.start()
    try:
        assert ready.wait(20)
        yield server.address
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(base_url=address)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_an_operator_logs_in_decides_and_logs_out(page: Page) -> None:
    page.goto("/c/default/errors")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    log_in(page, "olga", "wrong")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    log_in(page, "olga", "o")
    page.wait_for_url("**/c/default/errors")
    page.get_by_role("button", name="Resolve").click()
    expect(page.get_by_text("No open errors")).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    (cookie,) = page.context.cookies()
    assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Lax")

    page.get_by_role("link", name="Log out olga").first.click()
    page.get_by_role("button", name="Log out here").click()
    expect(page.get_by_role("heading", name="You have been logged out")).to_be_visible()
    page.goto("/c/default/errors")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_viewer_sees_why_nothing_can_be_decided_and_cannot_do_it_by_hand(page: Page) -> None:
    page.goto("/login?next=/c/default/errors")
    log_in(page, "vic", "v")
    button = page.get_by_role("button", name="Resolve")

    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute(
        "title", "the permission `error.decide` is missing in the cluster `default`: it takes the role operator"
    )
    status = page.evaluate(
        "fetch(document.querySelector('form[action*=errors]').action, {method: 'POST', body: new URLSearchParams("
        "{csrf: document.querySelector('[name=csrf]').value, status: 'resolved'})}).then(answer => answer.status)"
    )
    assert status == 403
    page.reload()
    expect(page.get_by_role("button", name="Resolve")).to_be_visible()


def test_a_page_whose_session_has_ended_leads_to_the_login_and_back(page: Page) -> None:
    page.goto("/login?next=/c/default/errors")
    log_in(page, "vic", "v")
    page.wait_for_url("**/c/default/errors")

    page.context.clear_cookies()

    page.wait_for_url("**/login?next=*", timeout=30_000)
    log_in(page, "vic", "v")
    page.wait_for_url("**/c/default/errors")
