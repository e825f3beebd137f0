"""A real browser for tests: `page` is a fresh page in a fresh profile; one Chromium serves the tests of a file.

Not one a session: while it lives, Playwright runs an event loop in this thread, and no other test could run its own.

It is the system's or the unpacked one (tests/services/install), steered by Playwright, and asks nobody on the net.
"""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from tests.services import programs

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome", "google-chrome-stable")
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
)
# Chromium's sandbox refuses root; shared memory in a container is often too small for it.
ROOT = ("--no-sandbox", "--disable-dev-shm-usage")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = programs.find(*PROGRAMS)
    if program is None:
        programs.missing("Chromium")
    arguments = [*QUIET, *(ROOT if os.geteuid() == 0 else ())]
    playwright = _driver()
    chromium = playwright.chromium.launch(executable_path=program, args=arguments)
    yield chromium
    chromium.close()
    playwright.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def _driver() -> Playwright:
    """Playwright's own Node wants libatomic, which may be ours; nobody else is to be told about that directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LD_LIBRARY_PATH", str(programs.UNPACKED / "lib"), prepend=os.pathsep)
        return sync_playwright().start()
