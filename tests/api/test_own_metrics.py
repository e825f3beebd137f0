"""The families of `/metrics` that Flower did not have."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest
from tests.api import serving
from tests.api.scraping import Series, scraped, series
from tests.services import prometheus

from flower_api.settings import ApiSettings
from flower_collector.metrics import Metrics
from flower_store import queue_samples
from flower_store.events import SetAside
from flower_store.factories import NOON, a_heartbeat, a_success, an_event
from flower_store.queue_samples import QueueSample
from flower_store.settings import StoreSettings
from flower_store.writes import Instance, Writer

Told = Callable[..., Series]


a_beat = partial(a_heartbeat, freq=600)
"""Of a worker that counts as alive for as long as a test may take."""


def task_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


@pytest.fixture
def told(api: httpx.Client) -> Told:
    """The samples of a family, once all is written: by cluster and the labels that are named."""

    def ask(name: str, *labels: str) -> Series:
        return series(scraped(api), name, "cluster", *labels)

    return ask


def test_promtool_finds_nothing_wrong_with_names_and_types(api: httpx.Client, writer: Writer) -> None:
    writer.write(a_success(task_id(1)), [a_beat()])
    writer.record_gap(NOON, NOON, reason="collector_away", count=1)

    assert prometheus.checked(api.get("/metrics").text) == ""


def test_what_a_collector_tells_of_itself_is_told_nowhere_else(api: httpx.Client, writer: Writer) -> None:
    writer.write(a_success(task_id(1)), [a_beat()])

    collectors = {family.name for family in Metrics().registry.collect()}
    assert collectors
    assert all(name.startswith("flower_collector_") for name in collectors)
    assert not [name for name in scraped(api) if name.startswith("flower_collector_")]


def test_waits_and_run_times_are_counted_by_queue_and_task(told: Told, writer: Writer) -> None:
    writer.write([*a_success(task_id(1), name="app.a", runtime=0.2), *a_success(task_id(2), name="app.a", runtime=3)])
    writer.write(
        [an_event("received", 1, task_id=task_id(3), name="app.b"), an_event("started", 1.5, task_id=task_id(3))]
    )

    waits = told("flower_queue_task_wait_seconds_bucket", "queue", "task", "le")
    assert [waits["default", "celery", "app.a", le] for le in ("1.0", "2.5", "+Inf")] == [0.0, 2.0, 2.0]
    assert told("flower_queue_task_wait_seconds_sum", "queue", "task") == {
        ("default", "celery", "app.a"): 4.0, ("default", "", "app.b"): 0.5,
    }  # fmt: skip
    assert told("flower_queue_task_runtime_seconds_count", "queue", "task") == {("default", "celery", "app.a"): 2.0}
    assert told("flower_queue_task_runtime_seconds_sum", "queue", "task") == {("default", "celery", "app.a"): 3.2}


def test_names_and_queues_past_their_bound_are_one(writer: Writer, store: StoreSettings) -> None:
    for number in range(1, 5):
        writer.write(a_success(task_id(number), name=f"app.{number}"))

    # A twentieth of the bound: two names.
    with serving.client(store, ApiSettings(port=0, metrics_series=40)) as api:
        counts = series(scraped(api), "flower_queue_task_wait_seconds_count", "queue", "task")

    assert counts == {("celery", "app.1"): 1.0, ("celery", "app.2"): 1.0, ("celery", "(overflow)"): 2.0}


def test_failures_are_counted_by_exception(told: Told, writer: Writer) -> None:
    for number, text in enumerate(("ValueError('a')", "ValueError('b c d')", "app.errors.Gone(1)")):
        writer.write([an_event("failed", task_id=task_id(number), exception=text, traceback=f"{text}\n")])

    assert told("flower_task_failures_total", "exception") == {
        ("default", "ValueError"): 2.0, ("default", "app.errors.Gone"): 1.0,
    }  # fmt: skip


def test_exceptions_past_their_bound_are_one(told: Told, writer: Writer) -> None:
    writer.write(
        [
            an_event("failed", task_id=task_id(number), exception=f"E{number:03}('x')", traceback="")
            for number in range(203)
        ]
    )

    found = told("flower_task_failures_total", "exception")
    assert (len(found), found["default", "(overflow)"]) == (201, 3.0)


def test_marked_tasks_are_told_by_kind_and_as_0_where_there_are_none(told: Told, writer: Writer) -> None:
    writer.write([an_event("started", task_id=task_id(number)) for number in range(3)])
    with writer.session() as connection:
        connection.execute(
            "INSERT INTO task_mark (cluster_id, key, kind, reason, state, last_at) "
            "SELECT cluster_id, key, 'lost', 'worker_gone', state, last_at FROM task"
        )
    writer.write([an_event("succeeded", 5, task_id=task_id(1))])

    kinds = {"lost": 2.0, "ended_unseen": 0.0, "stuck": 0.0, "overdue": 0.0}
    assert told("flower_marked_tasks", "kind") == {("default", kind): count for kind, count in kinds.items()}


def test_workers_their_pools_and_how_much_of_them_is_used(told: Told, writer: Writer) -> None:
    names = ("celery@a", "celery@b", "celery@c")
    writer.write([], [a_beat(worker=name, active=3) for name in names])
    pools: dict[str, dict[str, object]] = {
        "celery@a": {"stats": {"pool": {"max-concurrency": 4}}},
        "celery@b": {"stats": {"pool": "N/A"}},
        "celery@c": {"stats": {"pool": {"max-concurrency": 8}}},
    }
    writer.write_replies(pools, silence=timedelta(minutes=1))
    with writer.session() as connection:
        connection.execute("UPDATE worker SET alive_until = now() - interval '1 s' WHERE hostname = 'celery@c'")

    assert told("flower_workers", "status") == {("default", "online"): 2.0, ("default", "offline"): 1.0}
    assert told("flower_worker_pool_size", "worker") == {("default", "celery@a"): 4.0}
    assert told("flower_worker_pool_utilization_ratio", "worker") == {("default", "celery@a"): 0.75}


def test_queues_are_told_as_they_were_sampled_last(told: Told, writer: Writer) -> None:
    oldest = datetime.now(UTC) - timedelta(minutes=2)
    writer.ensure_partitions(datetime.now(UTC))
    queue_samples.write(
        writer,
        [QueueSample(name='ma"il', messages=7, ready=5, unacked=2, consumers=3, oldest_at=oldest),
         QueueSample(name="some", ready=1), QueueSample(name="gone", ready=9)],
    )  # fmt: skip
    with writer.session() as connection:
        connection.execute(
            "UPDATE queue_sample SET at = at - interval '20 minutes' "
            "WHERE queue_id = (SELECT id FROM queue WHERE name = 'gone')"
        )

    mail, some = ("default", 'ma"il'), ("default", "some")
    assert told("flower_queue_messages", "queue") == {mail: 7.0}
    assert told("flower_queue_messages_ready", "queue") == {mail: 5.0, some: 1.0}
    assert told("flower_queue_messages_unacknowledged", "queue") == {mail: 2.0}
    assert told("flower_queue_consumers", "queue") == {mail: 3.0}
    age = told("flower_queue_oldest_message_age_seconds", "queue")
    assert age == {mail: pytest.approx(120, abs=60)}


def test_gaps_set_aside_messages_and_collectors(told: Told, writer: Writer) -> None:
    writer.record_gap(NOON, NOON + timedelta(seconds=1.5), reason="queue_overflow", count=12)
    writer.record_gap(NOON, NOON, reason="queue_overflow", count=30)
    writer.record_gap(NOON, NOON, reason="collector_away")
    aside = SetAside(received_at=NOON, reason="not_json", detail="", routing_key="", content_type="", body=b"x")
    writer.write([], aside=[aside, aside])
    for number, lag in enumerate((0.5, 2.25)):
        instance = Instance(id=uuid.uuid4(), hostname="h", pid=number, version="3", promise="")
        writer.beat(instance, stored=1, aside=2, lag=timedelta(seconds=lag))
    gone = Instance(id=uuid.uuid4(), hostname="h", pid=9, version="3", promise="")
    writer.beat(gone, stored=1, aside=2, lag=timedelta(hours=1))
    writer.stopped(gone)

    assert told("flower_gaps", "reason") == {("default", "queue_overflow"): 2.0, ("default", "collector_away"): 1.0}
    assert told("flower_gap_lost_events", "reason") == {("default", "queue_overflow"): 42.0}
    ended = told("flower_gap_last_end_timestamp_seconds", "reason")
    assert ended["default", "queue_overflow"] == NOON.timestamp() + 1.5
    assert told("flower_set_aside_messages", "reason") == {("default", "not_json"): 2.0}
    assert told("flower_ingest_collectors") == {("default",): 2.0}
    assert told("flower_ingest_lag_seconds") == {("default",): 2.25}


def test_commands_by_kind_and_outcome(told: Told, writer: Writer) -> None:
    rows = [
        ("revoke", "now()", "now()", "'done'"), ("revoke", "now()", "now()", "'done'"),
        ("pool_grow", "now()", "now()", "'failed'"), ("shutdown", "now()", "NULL", "NULL"),
        ("shutdown", "now() - interval '1 h'", "NULL", "NULL"), ("result", "now()", "now()", "'done'"),
    ]  # fmt: skip
    with writer.session() as connection:
        for kind, asked, ended, outcome in rows:
            connection.execute(
                "INSERT INTO command (cluster_id, kind, target, arguments, actor, origin, expires_at, claimed_at, "
                f"ended_at, outcome) VALUES (%s, %s, '{{}}', '{{}}', 'a', 'o', {asked} + interval '1 minute', {ended}, "
                f"{ended}, {outcome})".encode(),
                (writer.cluster_id, kind),
            )

    assert told("flower_commands_total", "kind", "outcome") == {
        ("default", "revoke", "done"): 2.0, ("default", "pool_grow", "failed"): 1.0,
        ("default", "shutdown", "expired"): 1.0,
    }  # fmt: skip
    assert told("flower_commands_waiting") == {("default",): 1.0}
