"""The pages as they are answered, without a browser and so without script."""

import html
import re
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest
from msgspec.structs import replace
from tests.web import scene

from flower_store import completeness, losses, marks, reconciling
from flower_store.ids import task_key
from flower_store.writes import Writer

SECOND = timedelta(seconds=1)


def ids(page: httpx.Response) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'<tr [^>]*data-task-id="([^"]*)"', page.text)]


def link(page: httpx.Response, text: str) -> str:
    found = re.search(rf'<a [^>]*href="([^"]*)"[^>]*>{text}</a>', page.text)
    assert found, f"no link {text!r}"
    return html.unescape(found[1])


def heading(page: httpx.Response) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page.text, re.DOTALL)
    assert found
    return html.unescape(found[1])


def test_an_empty_store_says_what_to_do_next(http: httpx.Client) -> None:
    page = http.get("/")

    assert page.status_code == 200
    assert heading(page) == "Waiting for the first event"
    assert "flower-collector" in page.text


def test_a_cluster_without_tasks_shows_how_far_it_is(http: httpx.Client, writer: Writer) -> None:
    writer.beat(scene.COLLECTOR, stored=0, aside=0, lag=None)
    writer.write([], [scene.a_heartbeat(scene.HOSTS[0], scene.now())])

    page = http.get("/c/prod/")

    assert heading(page) == "Waiting for the first task"
    done = re.findall(r'state-(success|pending)">', page.text[page.text.index("checklist") :])
    assert done == ["success", "success", "success", "pending"]


def test_the_start_page_leads_to_the_cluster(http: httpx.Client, writer: Writer) -> None:
    assert writer.cluster_id

    assert http.get("/").headers["location"] == "/c/prod/"


def test_the_overview_shows_six_figures_and_a_chart_with_its_table(http: httpx.Client, writer: Writer) -> None:
    scene.furnish(writer, scene.now(), tasks=300)

    page = http.get("/c/prod/")

    labels = re.findall(r"<dt[^>]*>(?:<a [^>]*>)?([^<]+)", page.text)
    assert labels == ["Finished", "Failure share", "p95 run", "p95 wait", "Waiting now", "Workers up"]
    assert page.text.count('<tr><td class="number-left">') == 60
    minutes = re.findall(r'<tr><td class="number-left"><time datetime="([^"]*)"', page.text)
    assert minutes == sorted(minutes, reverse=True)
    assert "No collector" not in page.text


def test_an_overview_without_a_collector_says_so(http: httpx.Client, writer: Writer) -> None:
    writer.write(scene.a_life("a", scene.now()))

    assert "No collector yet" in http.get("/c/prod/").text


def test_recent_failures_stand_in_the_order_in_which_they_failed(http: httpx.Client, writer: Writer) -> None:
    at = scene.now() - 600 * SECOND
    told = {"exception": "E()", "traceback": "T"}
    writer.write(scene.a_life("long", at, end="failed", runs=300, fields=told))
    writer.write(scene.a_life("short", at + 60 * SECOND, end="failed", runs=1, fields=told))

    page = http.get("/c/prod/")

    assert ids(page) == ["long", "short"]
    assert "Failed at (UTC)" in page.text
    assert f"{at + 300.32 * SECOND:%H:%M:%S}</time>" in page.text


def test_a_running_task_says_that_its_worker_is_gone(http: httpx.Client, writer: Writer) -> None:
    at = scene.now() - 60 * SECOND
    host = scene.HOSTS[0]
    writer.write(scene.a_life("held", at, end="started"), [scene.a_heartbeat(host, at)])
    alive = http.get("/c/prod/tasks/held").text

    writer.write([], [scene.a_heartbeat(host, at + 30 * SECOND, kind="offline")])
    gone = http.get("/c/prod/tasks/held").text

    assert "worker offline since" not in alive
    assert re.search(rf"worker offline since <time[^>]*>{at + 30 * SECOND:%H:%M:%S}</time> UTC", gone)
    assert "its worker is away" in gone


def test_a_task_that_ended_does_not_need_its_worker_any_more(http: httpx.Client, writer: Writer) -> None:
    at = scene.now() - 60 * SECOND
    writer.write(scene.a_life("ended", at), [scene.a_heartbeat(scene.HOSTS[0], at, kind="offline")])

    assert "worker offline since" not in http.get("/c/prod/tasks/ended").text


def test_a_recent_gap_is_told_once_and_stands_in_the_chart_s_table(http: httpx.Client, writer: Writer) -> None:
    at = scene.now()
    writer.write(scene.a_life("a", at))
    writer.record_gap(at - 20 * SECOND, at - 16 * SECOND, reason=losses.COLLECTOR_AWAY)

    page = http.get("/c/prod/")

    assert page.text.count("Events may be missing") == 1
    assert losses.sentence(losses.COLLECTOR_AWAY) in page.text
    assert "In 1 interval of it events may be missing." in page.text
    assert "<span data-gap" in page.text
    assert link(page, "What could not be seen") == "/c/prod/unseen"


def test_an_overview_of_which_nothing_is_missing_has_no_strip(http: httpx.Client, writer: Writer) -> None:
    writer.write(scene.a_life("a", scene.now()))

    page = http.get("/c/prod/")

    assert "Events may be missing" not in page.text
    assert "data-gap" not in page.text


def test_what_could_not_be_seen_is_told_in_plain_sentences(http: httpx.Client, writer: Writer) -> None:
    at = scene.now() - 60 * SECOND
    writer.record_gap(at, at + 4 * SECOND, reason=losses.COLLECTOR_AWAY)
    busy = scene.a_heartbeat(scene.HOSTS[0], at)
    beats = [replace(busy, processed=0, clock=10), replace(busy, at=at + 4 * SECOND, processed=525, clock=600)]
    silent = [replace(each, hostname=scene.HOSTS[1], at=each.at + 30 * SECOND) for each in beats]
    writer.write([], [*beats, *(replace(each, received_at=each.at) for each in silent)])
    completeness.audit(writer, grace=0 * SECOND)

    page = html.unescape(http.get("/c/prod/unseen").text)

    assert "1,050 of 1,050 task starts were not seen." in page
    assert "No collector was running, and this broker keeps no events for one that is away." in page
    assert "Workers ran tasks and sent no task events." in page
    assert scene.HOSTS[1] in page


def test_a_count_of_lost_events_that_is_a_lower_bound_says_at_least(http: httpx.Client, writer: Writer) -> None:
    at = scene.now() - 60 * SECOND
    writer.record_gap(at, at + SECOND, reason=losses.QUEUE_OVERFLOW, count=3_317, at_least=True)
    writer.record_gap(at, at + SECOND, reason=losses.SPOOL_FULL, count=4_221)

    page = html.unescape(http.get("/c/prod/unseen").text)

    assert "at least 3,317<" in page
    assert "4,221<" in page
    assert "at least 4,221" not in page


def test_a_cluster_of_which_everything_was_seen_says_so(http: httpx.Client, writer: Writer) -> None:
    assert writer.cluster_id

    page = http.get("/c/prod/unseen").text

    assert "Nothing was audited yet" in page
    assert page.count("None is") == 3


def lose(writer: Writer, task_id: str) -> None:
    """A task that runs on a worker which said goodbye."""
    at = scene.now() - 60 * SECOND
    gone = scene.a_heartbeat("celery@gone", at + SECOND, kind="offline")
    writer.write(scene.a_life(task_id, at, host="celery@gone", end="started"), [gone])
    place: marks.Place | None = marks.Place()
    while place is not None:
        place = marks.sweep(writer, place, marks.Limits(lost_after=0 * SECOND))


def test_a_lost_task_says_since_when_and_why_on_its_page_and_in_the_list(http: httpx.Client, writer: Writer) -> None:
    writer.write(scene.a_life("fine", scene.now()))
    lose(writer, "gone")

    page = http.get("/c/prod/tasks/gone").text
    listed = http.get("/c/prod/tasks")

    assert re.search(r"<strong>Lost since <time[^>]*>[\d:]+</time> UTC\.</strong> Its worker is gone", page)
    assert listed.text.count('<span class="mark">lost</span>') == 1
    assert ids(http.get("/c/prod/tasks?is=lost")) == ["gone"]
    assert '<span class="quiet number">1</span>' in listed.text[listed.text.index('href="/c/prod/tasks?is=lost"') :]


def test_the_filter_by_marks_is_offered_only_where_a_task_bears_one(http: httpx.Client, writer: Writer) -> None:
    writer.write(scene.a_life("fine", scene.now()))

    assert "is=lost" not in http.get("/c/prod/tasks").text
    assert "the mark lost" in http.get("/c/prod/tasks?is=lost").text


def test_a_row_that_lost_its_mark_no_longer_matches(http: httpx.Client, writer: Writer) -> None:
    lose(writer, "gone")
    asked = "/c/prod/task-rows?is=lost&id=gone"
    before = http.get(asked).text

    writer.write(scene.a_life("gone", scene.now(), host="celery@gone"))

    assert "data-unmatched" not in before
    assert "data-unmatched" in http.get(asked).text


def test_a_task_that_the_result_backend_closed_says_so(http: httpx.Client, writer: Writer) -> None:
    at = scene.now() - 60 * SECOND
    writer.write(scene.a_life("found", at, end="started"))
    found = reconciling.Outcome(state="FAILURE", done_at=at + 5 * SECOND, result="KeyError('x')", traceback="Trace")
    reconciling.keep(writer, [], [(task_key("found"), found)])

    page = html.unescape(http.get("/c/prod/tasks/found").text)

    assert "No event told its end: it was closed as FAILURE, as the result backend knows it." in page
    assert "by then, as the result backend knows it" in page
    assert "KeyError('x')" in page
    assert '<span class="mark">reconciled</span>' in http.get("/c/prod/tasks").text


def test_pages_of_the_list_follow_each_other_without_a_task_lost_or_shown_twice(
    http: httpx.Client, writer: Writer
) -> None:
    at = scene.now() - timedelta(minutes=5)
    writer.write([each for n in range(60) for each in scene.a_life(f"t{n:02}", at + n * SECOND)])
    page, seen = http.get("/c/prod/tasks?limit=25"), []

    seen += ids(page)
    while 'rel="next"' in page.text:
        page = http.get(link(page, "Older tasks"))
        seen += ids(page)

    assert seen == [f"t{n:02}" for n in reversed(range(60))]


def test_the_list_is_filtered_by_states_and_by_the_beginning_of_a_name(http: httpx.Client, writer: Writer) -> None:
    at = scene.now()
    writer.write([*scene.a_failure("f", at), *scene.a_life("s", at), *scene.a_life("o", at, name="other.thing")])

    assert ids(http.get("/c/prod/tasks?state=FAILURE")) == ["f"]
    assert ids(http.get("/c/prod/tasks?name=other")) == ["o"]
    assert ids(http.get("/c/prod/tasks?name=shop.emails.send_receipt&state=SUCCESS&state=FAILURE")) == ["s"]


def test_a_filter_that_matches_nothing_says_what_was_searched(http: httpx.Client, writer: Writer) -> None:
    writer.write(scene.a_life("s", scene.now()))

    page = http.get("/c/prod/tasks?name=nobody&state=FAILURE")

    assert "No task matches" in page.text
    assert "state FAILURE and a name that begins with “nobody”" in page.text
    assert link(page, "Clear filters") == "/c/prod/tasks"


def test_a_name_that_is_no_beginning_offers_the_names_it_stands_in(http: httpx.Client, writer: Writer) -> None:
    writer.write([*scene.a_life("s", scene.now()), *scene.a_failure("f", scene.now())])

    page = http.get("/c/prod/tasks?name=Capture&state=FAILURE")

    assert ids(page) == []
    assert "Names are matched from their beginning" in page.text
    assert ids(http.get(link(page, "shop.orders.capture_payment"))) == ["f"]
    assert "send_receipt" not in page.text[page.text.index("No task matches") :]


def test_a_worker_leads_to_its_tasks_and_the_filter_can_be_taken_away(http: httpx.Client, writer: Writer) -> None:
    at = scene.now()
    one, other = scene.HOSTS[:2]
    told = [*scene.a_life("here", at, host=one), *scene.a_life("there", at, host=other)]
    writer.write(told, [scene.a_heartbeat(one, at)])

    page = http.get(link(http.get("/c/prod/workers"), f"<bdi>{one}</bdi>"))

    assert ids(page) == ["here"]
    chip = re.search(r'<a class="chip" href="([^"]*)"', page.text)
    assert chip
    assert sorted(ids(http.get(html.unescape(chip[1])))) == ["here", "there"]
    assert "worker=" in link(page, "All")


def test_a_bent_place_in_the_list_is_its_beginning(http: httpx.Client, writer: Writer) -> None:
    writer.write(scene.a_life("s", scene.now()))

    assert ids(http.get("/c/prod/tasks?after=nonsense")) == ["s"]


def test_the_rows_asked_for_again_come_with_the_number_of_newer_ones(http: httpx.Client, writer: Writer) -> None:
    at = scene.now() - timedelta(minutes=1)
    writer.write(scene.a_life("old", at, end="started"))
    asked = re.search(r'data-live-rows="([^"]*)"', http.get("/c/prod/tasks?state=STARTED").text)
    assert asked
    writer.write(scene.a_life("old", at))
    writer.write([each for n in range(3) for each in scene.a_life(f"new{n}", at + SECOND, end="started")])

    answer = http.get(f"{html.unescape(asked[1])}&id=old&counts=1")

    assert ids(answer) == ["old"]
    assert "data-unmatched" in answer.text
    assert "3 new tasks" in answer.text
    assert 'id="state-toggles"' in answer.text


@pytest.mark.parametrize("task_id", ["a/b", "..", "a b", "ä%2Fé", '"><script>', "x?y#z", "plain"])
def test_a_task_is_found_from_the_list_whatever_its_id(http: httpx.Client, writer: Writer, task_id: str) -> None:
    writer.write(scene.a_life(task_id, scene.now()))
    row = re.search(r'<a class="cut-left" href="([^"]*)"', http.get("/c/prod/tasks").text)
    assert row

    page = http.get(html.unescape(row[1]))

    shown = re.search(r'id="task-id">([^<]*)<', page.text)
    assert shown
    assert html.unescape(shown[1]) == task_id


def test_a_task_shows_its_story_its_attempts_and_its_events(http: httpx.Client, writer: Writer) -> None:
    writer.write(scene.a_retry("r", scene.now() - timedelta(minutes=2)))

    page = http.get("/c/prod/tasks/r")

    assert page.text.count('class="attempt-head"') == 3
    assert page.text.count('data-label="Event"') == 12
    assert '300 <span class="unit">ms</span>&#32;held by the worker' in page.text


def test_what_no_event_has_told_is_shown_as_not_captured(http: httpx.Client, writer: Writer) -> None:
    events = scene.a_life("t", scene.now())
    writer.write([each for each in events if each.type != "task-sent"])

    page = http.get("/c/prod/tasks/t")

    assert re.search(r"<dt>Queue</dt><dd><span[^>]*>not captured", page.text)
    assert re.search(r'class="when number"><span class="quiet">not captured', page.text)


def test_workers_show_their_pool_queues_and_heartbeat(http: httpx.Client, writer: Writer) -> None:
    scene.furnish(writer, scene.now(), tasks=1)

    page = http.get("/c/prod/workers")

    assert "3 online, 1 offline" in page.text
    assert re.search(r'prefork <span class="unit">. 4', page.text)
    assert "default, mail" in page.text
    assert re.search(r'data-label="Heartbeat"><time[^>]*>\d+ s</time> ago<', page.text)


def test_a_worker_that_answers_nonsense_is_still_listed(http: httpx.Client, writer: Writer) -> None:
    writer.write_replies({"w@odd": {"stats": ["?"], "active_queues": {"a": 1}}}, silence=timedelta(minutes=5))

    page = http.get("/c/prod/workers")

    assert page.status_code == 200
    assert "w@odd" in page.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/tasks?state=FAILURE", "/c/prod/tasks?state=FAILURE"),
        ("/tasks", "/c/prod/tasks"),
        ("/task/abc", "/c/prod/tasks/abc"),
        ("/workers", "/c/prod/workers"),
        ("/worker/celery@host", "/c/prod/workers"),
        ("/dashboard", "/c/prod/"),
    ],
)
def test_flowers_own_addresses_still_lead_somewhere(http: httpx.Client, writer: Writer, old: str, new: str) -> None:
    assert writer.cluster_id

    assert http.get(old).headers["location"] == new


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/c/prod/tasks/nobody", "No event of the task"),
        ("/c/nowhere/", "No cluster is called"),
        ("/nothing/here", ""),
        ("/c/prod/nothing", ""),
    ],
)
def test_what_is_not_there_is_a_page_in_the_same_frame(
    http: httpx.Client, writer: Writer, address: str, told: str
) -> None:
    assert writer.cluster_id

    page = http.get(address)

    assert page.status_code == 404
    assert heading(page) == "Nothing is here"
    assert told in html.unescape(page.text)
    assert link(page, "Go to the start page") == "/"


@pytest.mark.parametrize("address", ["/c/prod/tasks/nobody", "/c/prod/nothing", "/c/nowhere/", "/nothing"])
def test_an_error_page_leads_back_into_the_cluster(http: httpx.Client, writer: Writer, address: str) -> None:
    assert writer.cluster_id
    http.get("/c/prod/")

    page = http.get(address)

    assert link(page, "Tasks of prod") == "/c/prod/tasks"
    assert 'href="/c/prod/workers"' in page.text
    assert "data-stream" not in page.text


def test_without_any_cluster_the_way_is_the_start_page(http: httpx.Client) -> None:
    page = http.get("/nothing")

    assert re.search(r'<li><a href="/"><svg.*?<span>Start</span>', page.text)
    assert "Tasks of" not in page.text


def test_a_hostile_task_stays_text_everywhere(http: httpx.Client, writer: Writer) -> None:
    bad = "<img src=x onerror=alert(1)>"
    told = {"exception": bad, "traceback": bad}
    writer.write(
        scene.a_life(bad, scene.now(), name=bad, queue=bad, host=bad, end="failed", fields=told, args=bad, kwargs=bad)
    )
    writer.write([], [scene.a_heartbeat(bad, scene.now())])

    pages = [
        http.get(address)
        for address in (
            "/c/prod/",
            "/c/prod/tasks",
            f"/c/prod/tasks?name={quote(bad)}",
            f"/c/prod/task?id={quote(bad)}",
            f"/c/prod/task-rows?id={quote(bad)}",
            "/c/prod/workers",
            f"/c/prod/task?id={quote(bad)}not-there",
        )
    ]

    assert all("<img" not in page.text for page in pages)
    assert all("&lt;img" in page.text for page in pages)


def test_bundles_are_kept_for_ever_and_pages_are_not(http: httpx.Client, writer: Writer) -> None:
    assert writer.cluster_id
    page = http.get("/c/prod/tasks")
    script = re.search(r'src="(/static/dist/app-[^"]+)"', page.text)
    assert script

    assert "no-cache" in page.headers["cache-control"]
    assert "immutable" in http.get(script[1]).headers["cache-control"]


def test_a_page_forbids_script_that_is_not_its_own(http: httpx.Client) -> None:
    page = http.get("/")

    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style| on\w+=| style=", page.text)
