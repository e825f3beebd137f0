"""Names, workers and series with what they did; clusters. Figures are held against events written in the test."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from flower_store import histograms
from flower_store.factories import NOON, a_heartbeat, a_success, an_event
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

HERE = "/api/v1/clusters/figures"
BEGAN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
"""A whole hour; recent, because counts by the minute are asked for what is younger than days."""
OFFSET = (BEGAN - NOON).total_seconds()


def at(minutes: float) -> str:
    """So many minutes after the beginning, as an argument."""
    return (BEGAN + timedelta(minutes=minutes)).isoformat()


DAY = {"from": at(-60), "until": at(240)}


@pytest.fixture(scope="module")
def figures(standing_store: StoreSettings, standing_api: httpx.Client) -> httpx.Client:
    """60 successes of `a` within two hours, of 1 s to 60 s; of `b` one success, three failures, one retry."""
    writer = Writer(standing_store, cluster="figures", transport="redis")
    writer.connect()
    writer.ensure_partitions(BEGAN)
    for number in range(60):
        writer.write(a_success(f"a{number}", OFFSET + number * 120, name="a", runtime=number + 1.0))
    events = a_success("b0", OFFSET + 30, name="b", runtime=2.0)
    for number in range(3):
        events += [
            an_event("received", OFFSET + 60, task_id=f"f{number}", name="b", worker="celery@b"),
            an_event("started", OFFSET + 61, task_id=f"f{number}", worker="celery@b"),
            an_event("failed", OFFSET + 62, task_id=f"f{number}", worker="celery@b", exception="E()"),
        ]
    events += [
        an_event("started", OFFSET + 63, task_id="f0", worker="celery@b", clock=9),
        an_event("retried", OFFSET + 64, task_id="f0", worker="celery@b", clock=10, exception="E()"),
    ]
    writer.write(
        events,
        [
            a_heartbeat(OFFSET + 0, worker="celery@b", kind="online"),
            a_heartbeat(OFFSET + 90, worker="celery@b", clock=3, processed=4),
            a_heartbeat(OFFSET + 100, worker="celery@b", kind="offline", clock=4),
        ],
    )
    writer.close()
    return standing_api


def get(api: httpx.Client, path: str, **query: Any) -> Any:
    answer = api.get(f"{HERE}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_names_tell_counts_shares_and_percentiles(figures: httpx.Client) -> None:
    a, b = get(figures, "names", **DAY)["names"]

    assert (a["name"], a["counts"]["succeeded"], a["counts"]["failed"], a["failure_share"]) == ("a", 60, 0, 0.0)
    assert a["run"]["measured"] == 60
    assert a["run"]["mean"] == pytest.approx(30.5)
    assert a["run"]["p50"] == pytest.approx(30, rel=0.25)
    assert a["run"]["p95"] == pytest.approx(57, rel=0.25)
    assert a["wait"]["p50"] == pytest.approx(2, rel=0.25)
    assert (b["name"], b["ended"], b["failure_share"], b["retry_share"]) == ("b", 4, 0.75, 0.2)


@pytest.mark.parametrize(
    ("since", "until", "successes"),
    [(0, 60, 30), (10, 20, 5), (-10, 70, 35), (60, 150, 30), (-120, 0, 0), (30, 90, 30), (59, 61, 1)],
)
def test_an_interval_counts_each_event_once_over_minutes_and_hours(
    figures: httpx.Client, since: int, until: int, successes: int
) -> None:
    a = get(figures, "names", name="a", **{"from": at(since), "until": at(until)})["names"][0]

    assert a["counts"]["succeeded"] == a["run"]["measured"] == successes


def test_names_are_paged_and_filtered(figures: httpx.Client) -> None:
    first = get(figures, "names", limit=1)
    second = get(figures, "names", limit=1, after=first["next"])

    assert [one["name"] for page in (first, second) for one in page["names"]] == ["a", "b"]
    assert second["next"] is None
    assert [one["name"] for one in get(figures, "names", name="b*", fields="name")["names"]] == ["b"]
    assert get(figures, "names", name="b", fields="name")["names"] == [{"name": "b"}]


def test_workers_tell_what_they_did_and_when_they_came_and_went(figures: httpx.Client) -> None:
    workers = {one["hostname"]: one for one in get(figures, "workers", **DAY)["workers"]}
    one = get(figures, "workers/celery@b", **DAY)
    history = get(figures, "workers/celery@b/history")

    assert set(workers) == {"celery@a", "celery@b"}
    assert (workers["celery@b"]["done"]["counts"]["failed"], workers["celery@b"]["processed"]) == (3, 4)
    assert one["done"] == workers["celery@b"]["done"]
    assert one["replies"] == {}
    assert [event["type"] for event in history["events"]] == ["worker-offline", "worker-online"]
    assert history["next"] is None
    assert get(figures, "workers/celery@b/history", limit=1)["next"] is not None


def test_workers_are_filtered(figures: httpx.Client) -> None:
    def names(**query: Any) -> list[str]:
        return [one["hostname"] for one in get(figures, "workers", fields="hostname", **query)["workers"]]

    assert names(hostname="celery@b") == ["celery@b"]
    assert names(hostname="celery@*", limit=1) == ["celery@a"]
    assert names(online="true") == []
    assert names(online="false") == ["celery@a", "celery@b"]
    assert figures.get(f"{HERE}/workers/nobody").status_code == 404


def test_a_series_tells_each_step_and_adds_up(figures: httpx.Client) -> None:
    two_hours = {"from": at(0), "until": at(120)}

    (whole,) = get(figures, "series", **two_hours)["series"]
    by_name = get(figures, "series", by="name", **two_hours)
    (of_b,) = get(figures, "series", worker="celery@b", **two_hours)["series"]

    assert whole["name"] is None
    assert sum(point["counts"]["succeeded"] for point in whole["points"]) == 61
    assert {line["name"] for line in by_name["series"]} == {"a", "b"}
    assert by_name["step"] == 60
    assert len(whole["points"]) == 120
    assert max(point["counts"]["succeeded"] for point in whole["points"]) <= 2
    assert sum(point["counts"]["failed"] for point in of_b["points"]) == 3
    assert [point["failure_share"] for point in of_b["points"] if point["ended"]] == [1.0]


def test_a_series_by_the_minute_tells_each_minute(figures: httpx.Client) -> None:
    """What lay in a whole hour was once told at its beginning, all of it."""
    (line,) = get(figures, "series", name="a", **{"from": at(0), "until": at(120)})["series"]

    # One every two minutes, 3 s after the beginning of each.
    assert [point["counts"]["succeeded"] for point in line["points"]] == [1, 0] * 60


@pytest.mark.parametrize(
    ("since", "until", "step"),
    [("-1h", "now", 60), ("-5h", "now", 300), ("-2d", "now", 3600), ("-20d", "now", 21_600), ("-390d", "now", 604_800)],
)
def test_the_step_suits_the_range(figures: httpx.Client, since: str, until: str, step: int) -> None:
    found = get(figures, "series", until=until, **{"from": since})

    assert found["step"] == step
    assert 1 <= len(found["series"][0]["points"]) <= 130


def test_a_range_that_is_too_long_is_refused(figures: httpx.Client) -> None:
    answer = figures.get(f"{HERE}/series", params={"from": "-500d"})

    assert (answer.status_code, answer.json()["detail"]) == (400, "from: must be at most 400 days before until")


def test_clusters_are_told(figures: httpx.Client) -> None:
    every = figures.get("/api/v1/clusters").json()["clusters"]
    one = figures.get("/api/v1/clusters/figures").json()

    assert {"slug": "figures", "transport": "redis", "broker": ""} in every
    assert one == {"slug": "figures", "transport": "redis", "broker": ""}
    assert figures.get("/api/v1/clusters/nobody").status_code == 404
    first = figures.get("/api/v1/clusters?limit=1").json()
    assert figures.get("/api/v1/clusters", params={"after": first["next"]}).json()["clusters"][0] == every[1]


def test_a_percentile_lies_within_its_slot() -> None:
    values = [0.0004, 0.002, 0.5, 0.5, 0.6, 1.2, 80_000.0]
    counts: dict[int, int] = {}
    for value in values:
        counts[histograms.slot(value)] = counts.get(histograms.slot(value), 0) + 1

    assert histograms.percentile({}, 0.5) is None
    assert histograms.percentile(counts, 0.5) == pytest.approx(0.5, rel=0.25)
    assert histograms.percentile(counts, 1.0) == histograms.BOUNDS[-1]
    assert 0 < (histograms.percentile(counts, 0.1) or 0) <= 0.001
