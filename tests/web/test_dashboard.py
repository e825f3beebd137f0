"""The dashboard in a real browser, over a real database."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect
from tests.web import scene

from flower_store import losses
from flower_store.writes import Writer

pytestmark = pytest.mark.slow

PAGES = (
    "/c/prod/",
    "/c/prod/tasks",
    "/c/prod/tasks/retried",
    "/c/prod/workers",
    "/c/prod/errors",
    "/c/prod/unseen",
    "/c/prod/tasks/nobody",
)
BAD = "<img src=x onerror=window.__x=1>"


@pytest.fixture
def furnished(writer: Writer) -> Writer:
    scene.furnish(writer, scene.now(), tasks=300)
    writer.write(scene.a_retry("retried", scene.now() - timedelta(minutes=2)))
    return writer


Visit = Callable[[str], Page]


@pytest.fixture
def visit(site: str, page: Page) -> Visit:
    """Go to a path and get the page."""

    def go(path: str) -> Page:
        page.goto(f"{site}{path}")
        return page

    return go


@pytest.fixture
def plain(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without script."""
    context = browser.new_context(java_script_enabled=False)
    yield context
    context.close()


def test_a_task_goes_from_received_to_succeeded_without_a_reload(site: str, writer: Writer, page: Page) -> None:
    life = scene.a_life("watched", scene.now() - timedelta(seconds=5))
    writer.write(life[:2])
    page.goto(f"{site}/c/prod/tasks")
    state = page.locator('[data-task-id="watched"] .col-state')
    expect(state).to_have_text("RECEIVED")
    page.evaluate("window.__same = true")

    writer.write(life[2:3])
    expect(state).to_have_text("STARTED")
    writer.write(life[3:])

    expect(state).to_have_text("SUCCESS")
    assert page.evaluate("window.__same")


def test_new_tasks_wait_behind_a_button(site: str, furnished: Writer, page: Page) -> None:
    page.goto(f"{site}/c/prod/tasks")
    expect(page.locator(".live-status")).to_have_text("Live")

    furnished.write(scene.a_life("brand-new", scene.now() + timedelta(seconds=1), end="received"))

    expect(page.locator("[data-new-button]")).to_have_text("1 new task")
    expect(page.locator('[data-task-id="brand-new"]')).to_have_count(0)
    page.locator("[data-new-button]").click()
    expect(page.locator("#task-list tbody tr").first).to_have_attribute("data-task-id", "brand-new")


def test_the_first_task_of_an_empty_list_is_announced(site: str, writer: Writer, page: Page) -> None:
    page.goto(f"{site}/c/prod/tasks")
    expect(page.get_by_text("No tasks yet")).to_be_visible()

    writer.write(scene.a_life("first", scene.now()))

    page.locator("[data-new-button]").click()
    expect(page.locator("#task-list tbody tr")).to_have_count(1)


@pytest.mark.parametrize(
    ("address", "place", "words"),
    [
        ("/c/prod/tasks/watched", ".task-head .badge", ("STARTED", "SUCCESS")),
        ("/c/prod/", ".figures > div:nth-child(5) .note", ("1\u00a0running", "0\u00a0running")),
    ],
)
def test_other_pages_follow_as_well(
    visit: Visit, writer: Writer, address: str, place: str, words: tuple[str, str]
) -> None:
    life = scene.a_life("watched", scene.now() - timedelta(seconds=5))
    writer.write(life[:3])
    page = visit(address)
    expect(page.locator(place)).to_have_text(words[0])

    writer.write(life[3:])

    expect(page.locator(place)).to_have_text(words[1])


def test_a_broker_that_went_away_is_told_without_a_reload(site: str, furnished: Writer, page: Page) -> None:
    page.goto(f"{site}/c/prod/tasks")
    expect(page.locator("#intake")).to_be_empty()

    furnished.beat(scene.COLLECTOR, stored=0, aside=0, lag=None, broker_away_at=scene.now())

    expect(page.locator("#intake")).to_contain_text("Broker away since", timeout=15_000)


def test_an_open_part_of_a_page_stays_open_while_the_page_follows(site: str, furnished: Writer, page: Page) -> None:
    page.goto(f"{site}/c/prod/tasks/retried")
    page.locator("#attempt-1 summary").click()

    with page.expect_response(lambda response: response.url.endswith("/c/prod/tasks/retried")):
        furnished.write(scene.a_life("another", scene.now()))

    page.wait_for_function("document.querySelector('.live-age').textContent === 'data up to date'")
    expect(page.locator("#attempt-1 pre")).to_be_visible()


def test_the_chart_is_drawn_from_its_table_and_read_by_arrow_keys(site: str, furnished: Writer, page: Page) -> None:
    assert furnished.cluster_id
    page.goto(f"{site}/c/prod/")
    figure = page.get_by_role("figure", name="Ended per minute, last hour")
    expect(figure.locator("canvas")).to_be_visible()

    figure.locator("[data-plot]").press("Home")
    page.keyboard.press("ArrowRight")

    cells = figure.locator("tbody tr").nth(-2).locator("td").all_text_contents()
    names = figure.locator("thead th").all_text_contents()[1:]
    counts = ", ".join(f"{count} {name}" for count, name in zip(cells[1:], names, strict=True))
    expect(figure.locator("[data-reading]")).to_have_text(f"{cells[0]} UTC: {counts}")


def test_a_gap_is_drawn_over_the_chart_and_told_by_what_reads_it(site: str, furnished: Writer, page: Page) -> None:
    began = scene.now() - timedelta(minutes=20)
    furnished.record_gap(began, began + timedelta(minutes=3), reason=losses.COLLECTOR_AWAY)
    page.goto(f"{site}/c/prod/")
    figure = page.get_by_role("figure", name="Ended per minute, last hour")

    band = figure.locator(".gap-band")

    expect(band).to_have_attribute("title", re.compile(r"^Collector away .* No collector was running"))
    box, plot = band.bounding_box(), figure.locator(".u-over").bounding_box()
    assert box is not None
    assert plot is not None
    assert abs(box["width"] / plot["width"] - 3 / 60) < 0.01
    assert 0.6 < (box["x"] - plot["x"]) / plot["width"] < 0.7
    figure.locator("[data-plot]").press("End")
    for _ in range(19):
        page.keyboard.press("ArrowLeft")
    expect(figure.locator("[data-reading]")).to_contain_text("; events may be missing")


def test_everything_works_without_script(site: str, furnished: Writer, plain: BrowserContext) -> None:
    assert furnished.cluster_id
    page = plain.new_page()
    page.goto(f"{site}/")
    page.get_by_role("link", name="Tasks", exact=True).click()
    page.get_by_role("link", name="FAILURE").click()
    page.get_by_role("combobox", name="Task name").fill("shop.orders")

    page.get_by_role("button", name="Filter").click()

    page.wait_for_url(re.compile(r"state=FAILURE.*name=shop\.orders|name=shop\.orders.*state=FAILURE"))
    rows = page.locator("#task-list tbody tr")
    assert {text.strip() for text in rows.locator(".col-state").all_inner_texts()} == {"FAILURE"}
    rows.first.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_paint_has_the_chosen_theme(site: str, browser: Browser, scheme: str) -> None:
    context = browser.new_context(color_scheme="dark" if scheme == "light" else "light")
    page = context.new_page()
    page.goto(site)
    page.get_by_role("button", name=scheme.title()).first.click()
    page.add_init_script(
        "requestAnimationFrame(() => window.__first = getComputedStyle(document.documentElement).backgroundColor)"
    )

    page.reload()

    first = page.wait_for_function("window.__first").json_value()
    assert first == {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 19, 24)"}[scheme]
    context.close()


@pytest.mark.parametrize("width", [320, 390, 640, 768, 1024, 1280, 1440])
def test_no_page_scrolls_sideways(site: str, furnished: Writer, page: Page, width: int) -> None:
    furnished.write(scene.a_life("long/" * 40, scene.now(), name="a.very." * 30 + "long_name", queue="q" * 120))
    page.set_viewport_size({"width": width, "height": 800})

    for address in (*PAGES, f"/c/prod/task?id={'long/' * 40}"):
        page.goto(f"{site}{address}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_a_hostile_task_runs_nothing_and_no_request_leaves_the_origin(site: str, writer: Writer, page: Page) -> None:
    told = {"exception": BAD, "traceback": BAD}
    writer.write(
        scene.a_life(BAD, scene.now(), name=BAD, queue=BAD, host=BAD, end="failed", fields=told, args=BAD, kwargs=BAD)
    )
    writer.write([], [scene.a_heartbeat(BAD, scene.now())])
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))

    for address in ("/c/prod/", "/c/prod/tasks", f"/c/prod/tasks?name={BAD}", "/c/prod/workers"):
        page.goto(f"{site}{address}")
        expect(page.locator(".live-status")).to_have_text("Live")
        assert page.evaluate("window.__x") is None, address
    page.goto(f"{site}/c/prod/tasks")
    page.locator("#task-list tbody a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(BAD)

    assert page.evaluate("window.__x") is None
    assert all(url.startswith((site, "data:")) for url in asked)
    assert said == []


def test_the_task_list_is_light(site: str, furnished: Writer, page: Page) -> None:
    assert furnished.cluster_id
    sizes: dict[str, int] = {}

    def weigh(request: Request) -> None:
        if "/events/" not in request.url and "/task-rows" not in request.url:
            sizes[request.url] = request.sizes()["responseBodySize"]

    page.on("requestfinished", weigh)
    page.goto(f"{site}/c/prod/tasks", wait_until="load")
    expect(page.locator(".live-status")).to_have_text("Live")

    script = sum(size for url, size in sizes.items() if url.endswith(".js"))
    assert sum(sizes.values()) <= 150_000, sizes
    assert script <= 70_000, sizes


def test_focus_is_always_seen(site: str, furnished: Writer, page: Page) -> None:
    assert furnished.cluster_id
    page.goto(f"{site}/c/prod/tasks?limit=25")
    page.get_by_role("button", name="Pause").click()
    seen = []

    for _ in range(30):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]")
        )

    assert [each for each in seen if each[0] != "BODY" and each[1] == "none"] == []
