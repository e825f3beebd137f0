"""The main job, as its user sees it: the real demo, a real browser, a task that goes its way without a reload."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.cli import trees
from tests.cli.trees import Tree
from tests.waiting import eventually

WAITING = "tbody tr[data-state=RECEIVED]"
TAKES = 60_000
"""Milliseconds: a task of the demo may wait for its time, and two busy cores may be slow."""


@pytest.fixture(scope="module")
def demo() -> Iterator[Tree]:
    # Not under pytest's own directory, which is closed to nobody: PostgreSQL runs as nobody in some containers.
    with tempfile.TemporaryDirectory(prefix="flower-demo-") as path:
        directory = Path(path)
        directory.chmod(0o711)
        data = str(directory / "data")
        with trees.running("demo", "--data-dir", data, directory=directory, RATE="10") as tree:
            tree.until_up()
            yield tree
            everybody = tree.processes()
            tree.send(signal.SIGTERM)
            assert tree.wait() == 0
            eventually(trees.gone(everybody), within=20)


def open_page(page: Page, demo: Tree, path: str) -> None:
    page.goto(f"http://127.0.0.1:{demo.port}{path}")
    page.evaluate("window.notReloaded = true")


@pytest.mark.slow
def test_a_received_task_is_seen_to_succeed_without_a_reload(demo: Tree, page: Page) -> None:
    # Newsletters wait at the worker for their rate limit, and none of them fails.
    open_page(page, demo, "/c/default/tasks?name=mail.send_newsletter")
    received = page.locator(WAITING).first
    # Rows come behind the button only, so that nothing moves: press it until a received one is on the page.
    eventually(lambda: received.count() > 0 or press_new(page), within=TAKES / 1000)
    task_id = received.get_attribute("data-task-id")
    row = page.locator(f'tr[data-task-id="{task_id}"]')

    expect(row).to_have_attribute("data-state", "SUCCESS", timeout=TAKES)

    assert page.evaluate("window.notReloaded") is True


def press_new(page: Page) -> bool:
    button = page.get_by_role("link", name=" new task")
    if button.is_visible():
        button.click()
        # It goes when the rows have come; pressed a second time meanwhile it would be waited for.
        expect(button).to_be_hidden()
    return False


@pytest.mark.slow
def test_the_task_s_own_page_tells_its_story_to_the_end(demo: Tree, page: Page) -> None:
    # A conversion takes seconds, and none of them fails.
    open_page(page, demo, "/c/default/tasks?state=STARTED&name=media.transcode")
    eventually(lambda: page.locator("tbody tr[data-state=STARTED]").count() > 0 or reload(page), within=TAKES / 1000)
    page.locator("tbody tr[data-state=STARTED] a").first.click()
    timeline = page.get_by_role("list", name="Timeline")
    page.evaluate("window.notReloaded = true")

    expect(timeline).to_contain_text("received", ignore_case=True)
    expect(timeline).to_contain_text("succeeded", ignore_case=True, timeout=TAKES)

    assert page.evaluate("window.notReloaded") is True


def reload(page: Page) -> bool:
    page.reload()
    return False


@pytest.mark.slow
def test_the_overview_counts_on_while_one_looks(demo: Tree, page: Page) -> None:
    open_page(page, demo, "/")
    figures = page.locator("main")
    before = figures.inner_text()

    eventually(lambda: figures.inner_text() != before, within=TAKES / 1000)

    assert page.evaluate("window.notReloaded") is True
    assert page.get_by_role("figure").count() >= 1
