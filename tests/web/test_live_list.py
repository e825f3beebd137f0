"""Rows stay where they are while 500 events a second arrive (the live list's prototype, `docs/adr/0004`)."""

import re
import time
from collections.abc import Generator

import pytest
from playwright.sync_api import FloatRect, Page, expect
from tests.web import storm as storms
from tests.web.serving import served

pytestmark = pytest.mark.slow

WATCHED = 2  # row 3
SECONDS = 10


@pytest.fixture
def storm() -> storms.Storm:
    return storms.Storm()


@pytest.fixture
def tasks(storm: storms.Storm, page: Page) -> Generator[Page]:
    with served(storms.app(storm)) as address:
        page.goto(f"{address}/c/storm/tasks")
        yield page
        page.close()


def status(page: Page) -> str:
    return page.locator(".live-status").inner_text()


def newer(page: Page) -> int:
    return int(re.sub(r"\D", "", page.locator("[data-new-button]").inner_text()) or 0)


def place(page: Page) -> tuple[str | None, FloatRect | None]:
    row = page.locator("#task-list tbody tr").nth(WATCHED)
    return row.get_attribute("data-task-id"), row.bounding_box()


def test_a_row_keeps_its_place_while_its_state_changes(tasks: Page) -> None:
    expect(tasks.locator(".live-status")).to_have_text("Live")
    expect(tasks.locator("[data-new-button]")).to_be_visible()
    places, texts, counts = [], [], []

    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        places.append(place(tasks))
        texts.append(tasks.locator("#task-list tbody tr").nth(WATCHED).locator(".col-state").inner_text())
        counts.append(newer(tasks))
        tasks.wait_for_timeout(100)

    assert all(each == places[0] for each in places)
    assert len(set(texts)) > 1
    assert counts == sorted(counts)
    assert counts[-1] - counts[0] > 40 * SECONDS


def test_focus_stays_in_a_link_whose_row_changes(tasks: Page) -> None:
    row = tasks.locator("#task-list tbody tr").nth(WATCHED)
    row.locator("a").focus()
    focused = tasks.evaluate_handle("document.activeElement")
    before = row.locator(".col-state").inner_text()

    expect(row.locator(".col-state")).not_to_have_text(before)

    assert tasks.evaluate("focused => document.activeElement === focused && focused.isConnected", focused)


def test_a_ticked_row_stays_ticked_and_pauses_the_page_until_it_is_unticked(tasks: Page) -> None:
    expect(tasks.locator(".live-status")).to_have_text("Live")
    box = tasks.locator("#task-list tbody [data-select]").nth(WATCHED)
    box.check()
    expect(tasks.locator(".live-status")).to_have_text("Updates paused: rows selected")
    asked: list[str] = []
    tasks.on("request", lambda request: asked.append(request.url))

    tasks.wait_for_timeout(3_000)

    assert asked == []
    expect(box).to_be_checked()
    with tasks.expect_request("**/task-rows?**"):
        box.uncheck()
    expect(tasks.locator(".live-status")).to_have_text("Live")


def test_selected_text_pauses_the_page_and_stays_selected(tasks: Page) -> None:
    expect(tasks.locator(".live-status")).to_have_text("Live")

    tasks.locator("#task-list tbody tr").nth(WATCHED).locator(".col-id span").select_text()

    expect(tasks.locator(".live-status")).to_have_text("Updates paused: text selected")
    tasks.wait_for_timeout(1_500)
    assert tasks.evaluate("getSelection().toString()").startswith("00000000")


def test_the_new_button_shows_the_newest_first_and_is_gone(tasks: Page) -> None:
    first = tasks.locator("#task-list tbody tr").first
    before = first.get_attribute("data-task-id") or ""
    expect(tasks.locator("[data-new-button]")).to_have_text(re.compile(r"^\d{3} new tasks$"))
    shown = newer(tasks)

    tasks.locator("[data-new-button]").click()

    expect(first).not_to_have_attribute("data-task-id", before)
    assert int((first.get_attribute("data-task-id") or "")[-12:]) >= int(before[-12:]) + shown
    expect(tasks.locator("#task-list")).to_be_focused()
    assert newer(tasks) < shown


def test_the_reader_can_pause_and_resume(tasks: Page) -> None:
    tasks.get_by_role("button", name="Pause").click()
    expect(tasks.locator(".live-status")).to_have_text("Updates paused: by you")

    with tasks.expect_request("**/task-rows?**"):
        tasks.get_by_role("button", name="Resume").click()

    expect(tasks.locator(".live-status")).to_have_text("Live")


def test_a_refused_stream_is_replaced_by_polling(storm: storms.Storm, tasks: Page) -> None:
    storm.refused = True
    tasks.reload()
    expect(tasks.locator(".live-status")).to_have_text("Polling every 5 s")
    before = newer(tasks)

    with tasks.expect_response("**/task-rows?**"):
        pass

    expect(tasks.locator("[data-new-button]")).not_to_have_text(str(before))


def test_being_offline_is_said_with_the_datas_time_and_ended_by_a_full_refresh(tasks: Page) -> None:
    expect(tasks.locator(".live-status")).to_have_text("Live")

    tasks.context.set_offline(True)

    expect(tasks.locator(".live-status")).to_have_text(re.compile(r"^Offline, data from \d\d:\d\d:\d\d$"))
    with tasks.expect_response("**/task-rows?**"):
        tasks.context.set_offline(False)
    expect(tasks.locator(".live-status")).to_have_text("Live")
