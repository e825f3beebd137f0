"""A dead broker or collector is told on every page."""

import dataclasses
import html
import re
import uuid
from datetime import timedelta

import httpx
import pytest
from tests.web import scene

from flower_store.writes import Writer

OTHER = dataclasses.replace(scene.COLLECTOR, id=uuid.UUID(int=2), hostname="collector-2")


def header(page: httpx.Response) -> str:
    found = re.search(r'<p class="intake[^>]*>(.*?)</p>', page.text, re.DOTALL)
    assert found
    return html.unescape(re.sub(r"<[^>]*>", "", found[1]))


@pytest.mark.parametrize("address", ["/c/prod/", "/c/prod/tasks", "/c/prod/task-rows", "/c/prod/workers"])
def test_a_broker_that_does_not_answer_is_told_on_every_page(http: httpx.Client, writer: Writer, address: str) -> None:
    away = scene.now() - timedelta(seconds=30)
    writer.write(scene.a_life("a", scene.now()))
    writer.beat(scene.COLLECTOR, stored=0, aside=0, lag=None, broker_away_at=away)

    assert header(http.get(address)) == f"Broker away since {away:%H:%M:%S} UTC"


def test_the_overview_says_at_its_top_that_the_broker_is_away(http: httpx.Client, writer: Writer) -> None:
    away = scene.now() - timedelta(seconds=30)
    writer.write(scene.a_life("a", scene.now()))
    writer.beat(scene.COLLECTOR, stored=0, aside=0, lag=None, broker_away_at=away)

    page = http.get("/c/prod/")

    assert re.search(rf"<strong>Broker away since <time[^>]*>{away:%H:%M:%S}</time> UTC", page.text)


def test_one_collector_that_reaches_the_broker_is_enough(http: httpx.Client, writer: Writer) -> None:
    writer.write(scene.a_life("a", scene.now()))
    writer.beat(scene.COLLECTOR, stored=0, aside=0, lag=None, broker_away_at=scene.now())
    writer.beat(OTHER, stored=0, aside=0, lag=None)

    assert header(http.get("/c/prod/")) == ""


def test_a_stopped_collector_is_told_with_its_time(http: httpx.Client, writer: Writer) -> None:
    writer.write(scene.a_life("a", scene.now()))
    writer.beat(scene.COLLECTOR, stored=0, aside=0, lag=None)
    writer.stopped(scene.COLLECTOR)

    assert re.fullmatch(r"No collector since \d\d:\d\d:\d\d UTC", header(http.get("/c/prod/tasks")))


def test_a_collector_without_its_broker_is_no_tick_on_the_checklist(http: httpx.Client, writer: Writer) -> None:
    writer.beat(scene.COLLECTOR, stored=0, aside=0, lag=None, broker_away_at=scene.now())

    page = http.get("/c/prod/")

    steps = re.findall(r'<li class="state-(success|pending)">', page.text[page.text.index("checklist") :])
    assert steps == ["success", "pending", "pending", "pending"]
    assert "the broker does not answer it" in page.text
