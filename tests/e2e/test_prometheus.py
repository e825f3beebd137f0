"""A real Prometheus scrapes two replicas; Flower's dashboards and alerts have data there, and it is the store's."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from tests.services import prometheus
from tests.services.prometheus import Prometheus
from tests.waiting import eventually
from tests.web.serving import served

from flower_api.settings import ApiSettings
from flower_store import moments, retention
from flower_store.events import TaskEvent, WorkerEvent
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import StoreSettings
from flower_store.writes import Writer
from flower_web.app import create_app

pytestmark = [pytest.mark.slow, pytest.mark.service]

ONE, TWO, GONE = "celery@one", "celery@two", "celery@gone"
BOUND = 40
"""Of series: three workers and two tasks are below it."""

DASHBOARD_21 = {
    "online": 'count(flower_worker_online{worker=~".*"} == 1) or vector(0)',
    "offline": 'count(flower_worker_online{worker=~".*"} == 0) or vector(0)',
    "processed": 'sum(increase(flower_events_total{worker=~".*", task=~".*", type=~"task-(succeeded|failed)"}[1m])) '
    "or vector(0)",
    "failed": 'sum(increase(flower_events_total{worker=~".*", task=~".*", type="task-failed"}[1m])) or vector(0)',
    "active": 'flower_worker_number_of_currently_executing_tasks{worker=~".*"}',
    "processed by worker": 'sum by (worker) (increase(flower_events_total{worker=~".*", task=~".*", '
    'type=~"task-(succeeded|failed)"}[1m]))',
    "failed by worker": 'sum by (worker) (increase(flower_events_total{worker=~".*", task=~".*", '
    'type="task-failed"}[1m]))',
    "retried by worker": 'sum by (worker) (increase(flower_events_total{worker=~".*", task=~".*", '
    'type="task-retried"}[1m]))',
    "prefetched": 'sum by (worker) (flower_worker_prefetched_tasks{worker=~".*", task=~".*"})',
    "prefetch time": 'avg by (task) (flower_task_prefetch_time_seconds{worker=~".*", task=~".*"})',
    "runtime": 'sum by (task) (rate(flower_task_runtime_seconds_sum{worker=~".*", task=~".*"}[1m])) / '
    'clamp_min(sum by (task) (rate(flower_task_runtime_seconds_count{worker=~".*", task=~".*"}[1m])), 0.000000001)',
    "p95": "histogram_quantile(0.95, sum by (le, task) "
    '(rate(flower_task_runtime_seconds_bucket{worker=~".*", task=~".*"}[1m])))',
}
DASHBOARD_20 = {
    "status": "flower_worker_online",
    "executing": "flower_worker_number_of_currently_executing_tasks",
    "average": "rate(flower_task_runtime_seconds_sum[5m]) / rate(flower_task_runtime_seconds_count[5m])",
    "prefetch time": "flower_task_prefetch_time_seconds",
    "prefetched": "flower_worker_prefetched_tasks",
    "success": '(sum(avg_over_time(flower_events_total{type="task-succeeded"}[15m])) by (task) / '
    'sum(avg_over_time(flower_events_total{type=~"task-failed|task-succeeded"}[15m])) by (task)) * 100',
    "failure": '(sum(avg_over_time(flower_events_total{type="task-failed"}[15m])) by (task) / '
    'sum(avg_over_time(flower_events_total{type=~"task-failed|task-succeeded"}[15m])) by (task)) * 100',
}
ALERTS = {
    "CeleryWorkerOffline": "flower_worker_online == 0",
    "TaskFailureRatioTooHigh": DASHBOARD_20["failure"] + " > 1",
    "TaskPrefetchTimeTooHigh": "sum(avg_over_time(flower_task_prefetch_time_seconds[15m])) by (task, worker) > 1",
}
"""docs and examples of Flower 2.2.0, with the variables of Grafana filled in."""


class Cluster:
    """What a collector would write of a cluster that works, with times of now."""

    def __init__(self, store: StoreSettings) -> None:
        self.writer = Writer(store, cluster="default", transport="redis")
        self._number = 0

    def event(self, kind: str, number: int, worker: str, ago: float, **fields: object) -> TaskEvent:
        at = moments.micros(datetime.now(UTC)) - round(ago * moments.SECOND)
        return TaskEvent(
            type=f"task-{kind}", task_id=f"00000000-0000-4000-8000-{number:012d}", hostname=worker, pid=1, micros=at,
            clock=number, digest=number, received=at, fields=fields,
        )  # fmt: skip

    def run(self, tasks: int, *, failed: int = 0) -> None:
        """So many tasks of `app.a` at each living worker that take 0.2 s, and failures of `app.b` after a retry."""
        events: list[TaskEvent] = []
        for worker in (ONE, TWO):
            for failing in (*[False] * tasks, *[True] * failed):
                self._number += 1
                number, name = self._number, "app.b" if failing else "app.a"
                events += [
                    self.event("sent", number, f"gen{number}@client", 5, name=name, queue="celery"),
                    self.event("received", number, worker, 4, name=name),
                    self.event("started", number, worker, 3),
                ]
                if failing:
                    events.append(self.event("retried", number, worker, 2, exception="E()"))
                    events.append(self.event("failed", number, worker, 1, exception="E()", traceback="t"))
                else:
                    events.append(self.event("succeeded", number, worker, 1, result="1", runtime=0.2))
        self.writer.write(events, [self.beat(worker) for worker in (ONE, TWO)])

    def beat(self, worker: str, *, active: int = 2, freq: float = 600) -> WorkerEvent:
        now = datetime.now(UTC)
        return WorkerEvent(
            type="worker-heartbeat", hostname=worker, pid=1, at=now, clock=1, received_at=now, freq=freq, active=active
        )

    def hold(self, worker: str) -> None:
        """A task that runs after a wait of two seconds, and one that waits."""
        self.writer.write(
            [self.event("received", 900_001, worker, 5, name="app.a"), self.event("started", 900_001, worker, 3),
             self.event("received", 900_002, worker, 5, name="app.a")]
        )  # fmt: skip

    def killed(self, worker: str) -> None:
        with self.writer.session() as connection:
            connection.execute("UPDATE worker SET alive_until = now() WHERE hostname = %s", (worker,))

    def stored(self, kind: str) -> int:
        with self.writer.session() as connection:
            row = connection.execute(
                "SELECT count(*) FROM task_event e JOIN event_type t ON t.id = e.type WHERE t.name = %s", (kind,)
            ).fetchone()
        return int(row[0]) if row else 0


@pytest.fixture
def cluster(database_url: str) -> Iterator[Cluster]:
    made = Cluster(StoreSettings(database_url=database_url))
    made.writer.ensure_partitions(datetime.now(UTC))
    made.writer.write([], [made.beat(GONE)])
    made.run(2, failed=1)
    made.hold(ONE)
    yield made
    made.writer.close()


@pytest.fixture
def scraped(cluster: Cluster, database_url: str) -> Iterator[Prometheus]:  # noqa: ARG001 - what is there to scrape
    app = ApiSettings(port=0, metrics_series=BOUND)
    with ExitStack() as stack:
        addresses = [
            stack.enter_context(served(create_app(app, StoreSettings(database_url=database_url)))) for _ in range(2)
        ]
        running = stack.enter_context(prometheus.scraping(addresses))
        eventually(lambda: running.value('count(up{job="flower"} == 1)') == 2.0)
        yield running


def of_one(scraped: Prometheus, expression: str) -> float:
    """Both replicas are scraped, and a sum over both is twice that of one."""
    found = scraped.value(expression)
    assert found is not None, expression
    return found / 2


def all_of(kind: str) -> str:
    return f'sum(flower_events_total{{type="{kind}"}})'


def test_flowers_dashboards_and_alerts_have_data_and_it_is_the_stores(scraped: Prometheus, cluster: Cluster) -> None:
    eventually(lambda: of_one(scraped, all_of("task-succeeded")) == 4.0)
    cluster.run(10, failed=5)
    cluster.killed(GONE)
    eventually(lambda: of_one(scraped, "count(flower_worker_online == 0) or vector(0)") == 1.0)
    eventually(lambda: of_one(scraped, all_of("task-succeeded")) == 24.0)

    for kind in ("task-sent", "task-received", "task-started", "task-succeeded", "task-failed", "task-retried"):
        assert of_one(scraped, all_of(kind)) == cluster.stored(kind) > 0, kind
    for name, expression in (DASHBOARD_21 | DASHBOARD_20 | ALERTS).items():
        assert scraped.values(expression), name
    asked = {name: scraped.values(expression) for name, expression in DASHBOARD_21.items()}
    assert [of_one(scraped, DASHBOARD_21[name]) for name in ("online", "offline")] == [2.0, 1.0]
    # Prometheus reckons to the ends of the interval: more than was seen, never less than half.
    assert 20 + 10 <= of_one(scraped, DASHBOARD_21["processed"]) <= 3 * 30
    assert 10 <= of_one(scraped, DASHBOARD_21["failed"]) <= 3 * 10
    assert asked["runtime"][("task", "app.a"),] == pytest.approx(0.2)
    assert 0.1 < asked["p95"][("task", "app.a"),] <= 0.25
    assert asked["prefetched"][("worker", ONE),] == 2.0
    assert asked["prefetch time"][("task", "app.a"),] == pytest.approx(1.0, abs=0.1)  # of two workers one has waited
    assert scraped.values(DASHBOARD_20["failure"]) == {(("task", "app.b"),): 100.0}
    offline = scraped.values(ALERTS["CeleryWorkerOffline"])
    assert {dict(labels)["worker"] for labels in offline} == {GONE}


def test_both_replicas_tell_the_same_and_no_counter_ever_falls(scraped: Prometheus, cluster: Cluster) -> None:
    eventually(lambda: of_one(scraped, all_of("task-succeeded")) == 4.0)
    short = timedelta(milliseconds=1)
    nothing = RetentionSettings(
        retention_events=short, retention_tasks=short, retention_failed=short, retention_minutes=short,
        retention_hours=short, retention_history=short,
    )  # fmt: skip

    gone = {one.subject for one in retention.steps(cluster.writer, nothing, far_off(), threading.Event())}
    scrapes = scraped.value("min(count_over_time(up[10m]))") or 0.0
    eventually(lambda: (scraped.value("min(count_over_time(up[10m]))") or 0.0) > scrapes + 2)

    assert {"rollup_1h", "histogram_1h", "task"} <= gone
    assert of_one(scraped, all_of("task-succeeded")) == 4.0
    for name in ("flower_events_total", "flower_task_runtime_seconds_bucket", "flower_queue_task_wait_seconds_bucket"):
        assert scraped.value(f"max(resets({name}[10m]))") == 0.0
        labels = "worker, task, type, le, queue"
        assert not scraped.values(f"max by ({labels}) ({name}) - min by ({labels}) ({name}) != 0")


def far_off() -> datetime:
    return datetime.now(UTC) + timedelta(days=400)


def test_a_cluster_that_grows_past_its_bound_is_told_otherwise_and_no_event_is_made_up(
    scraped: Prometheus, cluster: Cluster
) -> None:
    eventually(lambda: of_one(scraped, all_of("task-succeeded")) == 4.0)
    many = [f"celery@pod-{number}" for number in range(20)]

    cluster.writer.write(
        [cluster.event(kind, 1_000 + number, worker, 1, **({"name": "app.a"} if kind == "received" else {}))
         for number, worker in enumerate(many) for kind in ("received", "started")],
        [cluster.beat(worker) for worker in many],
    )  # fmt: skip
    eventually(lambda: scraped.values('flower_events_total{worker="(overflow)"}'))
    eventually(lambda: not scraped.values('flower_events_total{worker=~"celery.*"}'))

    for kind in ("task-received", "task-started", "task-succeeded"):
        assert of_one(scraped, all_of(kind)) == cluster.stored(kind)
    # Everything there is in the shared series was counted before it began.
    made_up = 'sum(increase(flower_events_total{worker="(overflow)"}[10m]))'
    eventually(lambda: scraped.value(made_up) is not None)
    assert scraped.value(made_up) == 0.0
    assert scraped.value("max(resets(flower_events_total[10m]))") == 0.0
