"""The page of error groups, as it is answered: what it lists, where it leads, and what a decision does."""

import html
import re
from datetime import timedelta

import httpx
import pytest
from tests.web import scene

from flower_store.writes import Writer

HERE = "/c/prod/errors"


@pytest.fixture
def failing(writer: Writer, http: httpx.Client) -> httpx.Client:
    """Three groups although every message holds another id: 4 failures, 2, and 1 of two days ago."""
    at = scene.now() - timedelta(minutes=5)
    writer.ensure_partitions(at - timedelta(days=2))
    told = [("Declined", 4, at), ("Timeout", 2, at + timedelta(seconds=30)), ("Gone", 1, at - timedelta(days=2))]
    for kind, number, sent in told:
        for each in range(number):
            fields = {"exception": f"{kind}('order {each}7 <b>')", "traceback": scene.TRACEBACK}
            writer.write(scene.a_life(f"{kind}-{each}", sent, end="failed", fields=fields))
    return http


def listed(page: httpx.Response) -> list[str]:
    return [html.unescape(one) for one in re.findall(r'<a class="mono" href="[^"]*" title="([^"]*)"', page.text)]


def numbers(page: httpx.Response, label: str) -> list[str]:
    return re.findall(rf'data-label="{label}">([^<]*)', page.text)


def decided(client: httpx.Client, group: str, status: str, **headers: str) -> httpx.Response:
    found = re.search(rf'action="([^"]*)" aria-label="Decide about {group}', client.get(HERE).text)
    assert found, group
    return client.post(found[1], data={"status": status, "shown": "open"}, headers=headers)


def test_failures_that_are_alike_are_one_row_with_its_numbers(failing: httpx.Client) -> None:
    page = failing.get(HERE)

    assert listed(page) == ["Timeout: order <n> <b>", "Declined: order <n> <b>", "Gone: order <n> <b>"]
    assert (numbers(page, "1 h"), numbers(page, "24 h")) == (["2", "4", "0"], ["2", "4", "0"])
    assert (numbers(page, "7 d"), numbers(page, "Ever")) == (["2", "4", "1"], ["2", "4", "1"])
    assert page.text.count("shop/gateway.py in capture</span>") == 3
    assert "<b>" not in page.text


def test_a_row_leads_to_the_tasks_of_its_group(failing: httpx.Client) -> None:
    found = re.search(r'<a class="mono" href="([^"]*)" title="Declined', failing.get(HERE).text)
    assert found

    page = failing.get(html.unescape(found[1]))

    assert len(re.findall(r'data-task-id="Declined-\d"', page.text)) == page.text.count("data-task-id=") == 4
    assert "Error group: " in page.text


def test_a_resolved_group_leaves_the_page_and_comes_back_regressed(failing: httpx.Client, writer: Writer) -> None:
    answer = decided(failing, "Declined", "resolved")
    without, resolved = failing.get(HERE), failing.get(f"{HERE}?status=resolved")
    later = scene.now() + timedelta(seconds=5)
    fields = {"exception": "Declined('order 99 <b>')", "traceback": scene.TRACEBACK}
    writer.write(scene.a_life("again", later, end="failed", fields=fields))

    again = failing.get(HERE)

    assert (answer.status_code, answer.headers["location"]) == (303, f"{HERE}?status=open")
    assert listed(without) == ["Timeout: order <n> <b>", "Gone: order <n> <b>"]
    assert listed(resolved) == ["Declined: order <n> <b>"]
    assert listed(again)[0] == "Declined: order <n> <b>"
    assert ("Regressed" in again.text, "Regressed" in without.text) == (True, False)
    commands = failing.get("/api/v1/clusters/prod/commands").json()["commands"]
    assert [(one["kind"], one["arguments"]) for one in commands] == [("error_group", {"status": "resolved"})]


def test_a_page_of_another_site_or_a_slip_decides_nothing(failing: httpx.Client) -> None:
    assert decided(failing, "Gone", "ignored", **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert decided(failing, "Gone", "fixed").status_code == 400
    assert failing.post(f"{HERE}/99", data={"status": "ignored"}).status_code == 404
    assert failing.post(f"{HERE}/{2**40}", data={"status": "ignored"}).status_code == 404
    assert len(listed(failing.get(HERE))) == 3


def test_a_cluster_without_failures_says_so(http: httpx.Client, writer: Writer) -> None:
    writer.write(scene.a_life("a", scene.now()))

    assert "No open errors" in http.get(HERE).text
    assert "No ignored errors" in http.get(f"{HERE}?status=ignored").text
    assert "No open errors" in http.get(f"{HERE}?status=nonsense").text
