"""`/metrics`: Flower's six families out of the store, right after kills, restarts, retention, and past every bound."""

import asyncio
import math
import threading
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import httpx
import pytest
from prometheus_client.samples import Sample
from tests.api import serving
from tests.api.scraping import scraped, scraped_openly, series
from tests.waiting import eventually

from flower_api.metrics.scrape import Scrape
from flower_api.reads import Pool
from flower_api.settings import ApiSettings
from flower_store import retention
from flower_store.dimensions import Bounds
from flower_store.events import TaskEvent
from flower_store.factories import NOON, a_heartbeat, an_event
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import SettingError, StoreSettings
from flower_store.writes import Writer

A, B = "celery@a", "celery@b"
SECOND = timedelta(seconds=1)


a_beat = partial(a_heartbeat, freq=600)
"""Of a worker that counts as alive for as long as a test may take."""


def task_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def a_run(number: int, name: str, *, worker: str = A, runtime: float = 1.0, end: str = "succeeded") -> list[TaskEvent]:
    key = task_id(number)
    return [
        an_event("sent", task_id=key, worker=f"gen{number}@client", name=name, queue="celery"),
        an_event("received", 1, task_id=key, worker=worker, name=name),
        an_event("started", 2, task_id=key, worker=worker),
        an_event("succeeded", 3, task_id=key, worker=worker, result="3", runtime=runtime)
        if end == "succeeded"
        else an_event(end, 3, task_id=key, worker=worker, exception="E()", traceback="t"),
    ]


@pytest.fixture
def told(writer: Writer, api: httpx.Client) -> httpx.Client:
    """Two workers, of which one was silent for a minute; five tasks."""
    writer.write(
        [*a_run(1, "app.add", runtime=0.02), *a_run(2, "app.add", runtime=0.5), *a_run(3, "app.mail", worker=B),
         *a_run(4, "app.mail", worker=B, end="failed"), an_event("received", 4, task_id=task_id(5), name="app.add")],
        [a_beat(kind="online"), a_beat(1, active=3), a_beat(1, worker=B, active=2)],
    )  # fmt: skip
    silenced(writer, B, timedelta(minutes=1))
    return api


def silenced(writer: Writer, worker: str, since: timedelta) -> None:
    """As if its heartbeats had ended so long ago."""
    with writer.session() as connection:
        connection.execute("UPDATE worker SET alive_until = now() - %s WHERE hostname = %s", (since, worker))


def test_flowers_families_have_its_names_types_and_labels_and_the_cluster(told: httpx.Client) -> None:
    found = scraped(told)

    kinds = {name: family.type for name, family in found.items() if name in FLOWERS}
    labels = {name: {frozenset(one.labels) - {"le"} for one in found[name].samples} for name in FLOWERS}
    assert kinds == {name: kind for name, (kind, _) in FLOWERS.items()}
    assert labels == {name: {frozenset({"cluster", *of})} for name, (_, of) in FLOWERS.items()}
    assert not [name for name in found if name.endswith("_created")]


FLOWERS = {
    "flower_events": ("counter", ["worker", "type", "task"]),
    "flower_task_runtime_seconds": ("histogram", ["worker", "task"]),
    "flower_task_prefetch_time_seconds": ("gauge", ["worker", "task"]),
    "flower_worker_prefetched_tasks": ("gauge", ["worker", "task"]),
    "flower_worker_online": ("gauge", ["worker"]),
    "flower_worker_number_of_currently_executing_tasks": ("gauge", ["worker"]),
}


def test_openmetrics_is_the_same_where_it_is_asked_for(told: httpx.Client) -> None:
    plain, openly = scraped(told), scraped_openly(told)

    assert {name: (one.type, one.samples) for name, one in openly.items()} == {
        name: (one.type, one.samples) for name, one in plain.items()
    }


def test_events_are_counted_by_worker_type_and_task_and_clients_have_no_name(told: httpx.Client) -> None:
    counts = series(scraped(told), "flower_events_total", "cluster", "worker", "type", "task")

    by_type = dict.fromkeys(("task-received", "task-started", "task-succeeded"), 2.0)
    expected = {("default", A, kind, "app.add"): count for kind, count in by_type.items()}
    expected |= {("default", B, kind, "app.mail"): count for kind, count in by_type.items()}
    expected |= {("default", "", "task-sent", name): 2.0 for name in ("app.add", "app.mail")}
    expected[("default", A, "task-received", "app.add")] = 3.0
    expected |= {("default", B, f"task-{end}", "app.mail"): 1.0 for end in ("succeeded", "failed")}
    assert counts == expected


def test_run_times_are_exact_at_flowers_bounds(told: httpx.Client) -> None:
    found = scraped(told)

    buckets = series(found, "flower_task_runtime_seconds_bucket", "worker", "le")
    of_a = {float(le): count for (worker, le), count in buckets.items() if worker == A}
    bounds = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, math.inf)
    assert of_a == {bound: float((bound >= 0.02) + (bound >= 0.5)) for bound in bounds}
    assert series(found, "flower_task_runtime_seconds_sum", "worker") == {(A,): 0.52, (B,): 1.0}
    assert series(found, "flower_task_runtime_seconds_count", "worker") == {(A,): 2.0, (B,): 1.0}


def test_a_bound_between_ours_counts_what_is_surely_below_it(writer: Writer, store: StoreSettings) -> None:
    writer.write([event for n, runtime in enumerate((40, 55, 58, 70)) for event in a_run(n, "t", runtime=runtime)])
    settings = ApiSettings(port=0, task_runtime_metric_buckets=("50", "60", "100"))

    with serving.client(store, settings) as api:
        buckets = series(scraped(api), "flower_task_runtime_seconds_bucket", "le")

    # Ours are 50 and 75: of the three in between it is not known that they are below 60.
    assert buckets == {("50.0",): 1.0, ("60.0",): 1.0, ("100.0",): 4.0, ("+Inf",): 4.0}


def test_a_worker_that_fell_silent_is_0_and_executes_nothing(told: httpx.Client) -> None:
    found = scraped(told)

    assert series(found, "flower_worker_online", "worker") == {(A,): 1.0, (B,): 0.0}
    executing = series(found, "flower_worker_number_of_currently_executing_tasks", "worker")
    assert executing == {(A,): 3.0, (B,): 0.0}


def test_prefetched_tasks_are_those_that_a_living_worker_holds_just_now(told: httpx.Client, writer: Writer) -> None:
    def prefetched() -> dict[tuple[str, ...], float]:
        return series(scraped(told), "flower_worker_prefetched_tasks", "worker", "task")

    assert prefetched() == {(A, "app.add"): 1.0, (B, "app.mail"): 0.0}

    # B received one and died, A started its own: Flower's gauge would stay at 1 for both.
    writer.write(
        [an_event("received", 5, task_id=task_id(6), worker=B, name="app.mail"),
         an_event("started", 6.25, task_id=task_id(5))]
    )  # fmt: skip
    eventually(lambda: prefetched() == {(A, "app.add"): 0.0, (B, "app.mail"): 0.0})
    waits = series(scraped(told), "flower_task_prefetch_time_seconds", "worker", "task")
    assert waits == {(A, "app.add"): 2.25, (B, "app.mail"): 0.0}

    # A restarts under its name: what it held before is the broker's again, and what ran does not run any more.
    writer.write([an_event("received", 7, task_id=task_id(7), name="app.add")], [a_beat(9, kind="online", pid=2)])
    eventually(lambda: series(scraped(told), "flower_task_prefetch_time_seconds", "worker")[(A,)] == 0.0)
    assert prefetched()[(A, "app.add")] == 0.0


def test_a_task_with_an_eta_or_marked_as_gone_is_not_prefetched(told: httpx.Client, writer: Writer) -> None:
    with writer.session() as connection:
        connection.execute(
            "INSERT INTO task_mark (cluster_id, key, kind, reason, state, last_at) "
            "SELECT cluster_id, key, 'ended_unseen', 'worker_idle', state, last_at FROM task "
            "WHERE state = 'RECEIVED'"
        )
    writer.write([an_event("received", 5, task_id=task_id(8), name="app.add", eta="2026-11-20T13:00:00")])

    assert series(scraped(told), "flower_worker_prefetched_tasks", "worker")[(A,)] == 0.0


def test_every_replica_tells_the_same(told: httpx.Client, second_api: httpx.Client) -> None:
    assert told.get("/metrics").text == second_api.get("/metrics").text


def test_counters_survive_new_collectors_and_all_of_retention(
    told: httpx.Client, writer: Writer, store: StoreSettings
) -> None:
    counters = [name for name, (kind, _) in FLOWERS.items() if kind != "gauge"]
    before = scraped(told)

    short = RetentionSettings(
        retention_events=SECOND, retention_tasks=SECOND, retention_failed=SECOND, retention_minutes=SECOND,
        retention_hours=SECOND, retention_history=SECOND,
    )  # fmt: skip
    gone = [one.subject for one in retention.steps(writer, short, NOON + timedelta(days=400), threading.Event())]
    with serving.client(store) as other:
        after = scraped(other)

    assert {"task", "rollup_1m", "rollup_1h", "histogram_1h"} <= set(gone)
    assert [after[name].samples for name in counters] == [before[name].samples for name in counters]
    assert all(before[name].samples for name in counters)


HOSTILE = [
    'a"b',
    "a\\b",
    "a\nb",
    'x"} 1\nflower_worker_online{worker="evil"} 1',
    "日本 🌸",
    "\u2028",
    "{}",
    "\\",
    "'",
    "\r",
]


def test_hostile_names_stay_in_their_label(writer: Writer, api: httpx.Client) -> None:
    events = [event for n, name in enumerate(HOSTILE) for event in a_run(n, name)[:3]]
    writer.write([*events, an_event('progress"\n', 4, task_id=task_id(1))], [a_beat(worker='celery@"\n\\')])

    for found in (scraped(api), scraped_openly(api)):
        counts = series(found, "flower_events_total", "worker", "task", "type")
        assert {task for _, task, kind in counts if kind == "task-sent"} == set(HOSTILE)
        assert [kind for _, _, kind in counts if "progress" in kind] == ['task-progress"\n']
        assert series(found, "flower_worker_online", "worker") == {('celery@"\n\\',): 1.0}


@pytest.fixture
def crowd(writer: Writer) -> list[str]:
    """Seven workers, the last two of them gone, that ran three tasks; the first one, the most."""
    workers = [f"celery@{number}" for number in range(7)]
    names = ["app.a", "app.b", "app.c"]
    writer.write(
        [event for n, worker in enumerate(workers) for m, name in enumerate(names)
         for event in a_run(10 * n + m, name, worker=worker)],
        [a_beat(worker=worker, active=1) for worker in workers],
    )  # fmt: skip
    for number, worker in enumerate(workers[5:]):
        silenced(writer, worker, timedelta(hours=1 + number))
    return workers


def events_of(store: StoreSettings, most: int) -> dict[tuple[str, ...], float]:
    with serving.client(store, ApiSettings(port=0, metrics_series=most)) as api:
        return series(scraped(api), "flower_events_total", "worker", "task", "type")


def test_workers_that_are_offline_longest_vanish_where_not_all_fit(crowd: list[str], store: StoreSettings) -> None:
    # Three of task-sent, and nine of each worker: the six that were alive last.
    found = events_of(store, 60)

    assert {worker for worker, _, _ in found} == {"", *crowd[:6]}
    assert all(len([key for key in found if key[0] == worker]) == 9 for worker in crowd[:6])


def test_where_living_workers_do_not_fit_tasks_are_counted_at_all_workers(
    crowd: list[str], store: StoreSettings
) -> None:
    found = events_of(store, 20)

    expected = {("", name, "task-sent"): 7.0 for name in ("app.a", "app.b", "app.c")}
    expected |= {
        ("(overflow)", name, f"task-{kind}"): float(len(crowd))
        for name in ("app.a", "app.b", "app.c")
        for kind in ("received", "started", "succeeded")
    }
    assert found == expected


def test_names_past_the_bound_are_one_and_nothing_is_counted_twice(
    crowd: list[str], store: StoreSettings, writer: Writer
) -> None:
    writer.write([an_event("received", 9, task_id=task_id(99), worker=crowd[0], name="app.b")])

    with serving.client(store, ApiSettings(port=0, metrics_series=10)) as api:
        found = scraped(api)

    counts = series(found, "flower_events_total", "worker", "task", "type")
    assert {task for _, task, _ in counts} == {"app.a", "app.b", "(overflow)"}
    assert sum(counts.values()) == 7 * 3 * 4 + 1
    runs = series(found, "flower_task_runtime_seconds_count", "worker", "task")
    assert runs == {("(overflow)", task): 7.0 for task in ("app.a", "app.b", "(overflow)")}
    prefetched = series(found, "flower_worker_prefetched_tasks", "worker", "task")
    assert prefetched == {("(overflow)", task): float(task == "app.b") for task in ("app.a", "app.b", "(overflow)")}
    assert len(series(found, "flower_worker_online", "worker")) == 5


def test_names_past_the_bound_of_the_store_and_past_that_of_metrics_are_one(
    writer: Writer, store: StoreSettings
) -> None:
    narrow = Writer(store, cluster="default", bounds=Bounds(names=1))
    narrow.write([event for n in (1, 2) for event in a_run(n, f"app.{n}")], [a_beat()])
    narrow.close()
    writer.write([event for n in (3, 4, 5) for event in a_run(n, f"app.{n}")])

    # Two names are told apart, in order: app.1, and what stands for app.2 in the store.
    with serving.client(store, ApiSettings(port=0, metrics_series=10)) as api:
        found = scraped(api)

    counts = series(found, "flower_events_total", "worker", "task", "type")
    assert {task for _, task, _ in counts} == {"app.1", "(overflow)"}
    assert counts["(overflow)", "(overflow)", "task-started"] == 4.0
    waits = series(found, "flower_queue_task_wait_seconds_count", "queue", "task")
    assert waits == {("celery", "(overflow)"): 5.0}


def test_a_crowded_cluster_leaves_the_others_their_workers(
    crowd: list[str], store: StoreSettings, other_writer: Writer
) -> None:
    other_writer.write(a_run(1, "app.other"), [a_beat()])

    with serving.client(store, ApiSettings(port=0, metrics_series=20)) as api:
        counts = series(scraped(api), "flower_events_total", "cluster", "worker", "task", "type")

    assert {(cluster, worker) for cluster, worker, _, _ in counts} == {
        ("default", ""), ("default", "(overflow)"), ("other", ""), ("other", A),
    }  # fmt: skip
    assert crowd


@pytest.mark.parametrize(("purge", "left"), [(None, 7), (timedelta(minutes=90), 6), (timedelta(0), 5)])
def test_workers_that_are_offline_for_too_long_are_left_out(
    crowd: list[str], store: StoreSettings, purge: timedelta | None, left: int
) -> None:
    with serving.client(store, ApiSettings(port=0, purge_offline_workers=purge)) as api:
        found = scraped(api)

    for name in ("flower_events_total", "flower_task_runtime_seconds_count", "flower_worker_online",
                 "flower_worker_number_of_currently_executing_tasks", "flower_worker_prefetched_tasks"):  # fmt: skip
        workers = {worker for one in found.values() for worker in _workers_of(one.samples, name)}
        assert workers - {""} == set(crowd[:left]), name


def _workers_of(samples: Sequence[Sample], name: str) -> set[str]:
    return {one.labels["worker"] for one in samples if one.name == name}


def test_an_empty_store_has_families_without_samples(api: httpx.Client) -> None:
    assert set(FLOWERS) <= set(scraped(api))


def test_whoever_scrapes_within_a_second_gets_the_same_answer(writer: Writer, store: StoreSettings) -> None:
    now = [0.0]

    async def scrapes() -> list[bytes]:
        reads = Pool(store)
        scrape = Scrape(reads, ApiSettings(), clock=lambda: now[0])
        found = [(await scrape.answer(""))[1]]
        writer.write(a_run(1, "app.add"))
        for now[0] in (0.9, 1.0):
            found.append((await scrape.answer(""))[1])
        await reads.close()
        return found

    first, within, later = asyncio.run(scrapes())

    assert within == first != later
    assert b"app.add" in later


@pytest.mark.parametrize(
    "values",
    [
        {"task_runtime_metric_buckets": ("1", "x")},
        {"task_runtime_metric_buckets": ("1", "1")},
        {"task_runtime_metric_buckets": ("2", "1")},
        {"task_runtime_metric_buckets": ("1", "nan")},
        {"task_runtime_metric_buckets": ("0", "1")},
        {"task_runtime_metric_buckets": ("inf",)},
        {"task_runtime_metric_buckets": ()},
        {"task_runtime_metric_buckets": tuple(map(str, range(1, 102)))},
        {"purge_offline_workers": timedelta(seconds=-1)},
        {"metrics_series": 9},
    ],
)
def test_a_broken_setting_is_refused_by_name(values: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(values))):
        ApiSettings(**values)  # type: ignore[arg-type]
