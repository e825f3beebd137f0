"""Whoever makes up names without end fills neither the collector's memory nor the tables of names nor its metrics."""

import itertools
import json
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from tests.collector.messages import fields
from tests.collector.publishing import Publisher
from tests.e2e.collecting import CollectorProcess
from tests.faults import trial
from tests.faults.conftest import Query
from tests.faults.vitals import MOST_OPEN, MOST_RESIDENT, Vitals
from tests.waiting import eventually

from flower_store import completeness
from flower_store.dimensions import OVERFLOW

pytestmark = pytest.mark.slow

PROCESSES = 150_000
MOST = 100
"""Names that get a row of their own, of each kind."""

BOUNDS = {
    "FLOWER_MAX_TASK_NAMES": str(MOST),
    "FLOWER_MAX_QUEUES": str(MOST),
    "FLOWER_MAX_WORKERS": str(MOST),
    "FLOWER_MAX_EVENT_TYPES": str(MOST),
    "FLOWER_AUDIT_GRACE": "1s",
}
OPTIONS = ("--max-task-names", "--max-queues", "--max-workers", "--max-event-types")
A_MESSAGE = 500
"""Events in one message."""


@pytest.fixture
def collector(tmp_path: Path, rabbitmq_url: str, database_url: str) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path, broker_url=rabbitmq_url, database_url=database_url, settings=BOUNDS)
    process.start()
    yield process
    process.kill()


@pytest.mark.parametrize("names", [10_000, pytest.param(200_000, marks=pytest.mark.faults)])
def test_a_flood_of_names_fills_neither_memory_nor_tables_nor_metrics(
    collector: CollectorProcess, rabbitmq_url: str, query: Query, names: int
) -> None:
    with Vitals(lambda: [collector.pid]) as vitals:
        publish(rabbitmq_url, (event for number in range(names) for event in made_up(number)))
        eventually(lambda: query("SELECT count(*) FROM task_event") == [(3 * names,)], within=600)

    for table, name in (("task_name", "name"), ("queue", "name"), ("worker", "hostname"), ("event_type", "name")):
        assert query(f"SELECT count(*) FROM {table} WHERE cluster_id IS NOT NULL") == [(MOST + 1,)], table
        assert query(f"SELECT count(*) FROM {table} WHERE {name} = %s", OVERFLOW) == [(1,)], table
    assert query("SELECT count(*) FROM task") == [(names,)]
    assert vitals.resident <= MOST_RESIDENT, str(vitals)
    assert vitals.descriptors <= MOST_OPEN, str(vitals)
    assert len(collector.page("metrics")) < 64 * 1024
    assert trial.metric(collector, "flower_collector_names_overflowed_total") > names
    eventually(lambda: all(option in told(query) for option in OPTIONS))
    assert 'flower_collector_findings{kind="names_full"} 1.0' in collector.page("metrics")
    assert collector.ready()


def told(query: Query) -> str:
    """What the collector says of names past their bound."""
    ((findings,),) = query("SELECT findings FROM collector")
    return " ".join(one["sentence"] for one in findings if one["kind"] == "names_full")


@pytest.mark.faults
def test_a_worker_with_processes_without_end_fills_no_memory(
    collector: CollectorProcess, rabbitmq_url: str, query: Query
) -> None:
    """Each is a number that anybody may send, and the audit follows them all."""
    with Vitals(lambda: [collector.pid]) as vitals:
        for beat in range(1, 4):
            publish(rabbitmq_url, (heartbeat(pid, clock=beat) for pid in range(1, PROCESSES + 1)))
            eventually(partial(are_weighed, query, beat), within=300)

    assert vitals.resident <= MOST_RESIDENT, str(vitals)
    assert query("SELECT count(*) FROM process") == [(completeness.MOST_PROCESSES,)]
    assert collector.ready()


def are_weighed(query: Query, clock: int) -> bool:
    """Whether the audit has come to the last one's heartbeat of this clock, and none is left."""
    last = query("SELECT count(*) FROM process WHERE pid = %s AND clock = %s", PROCESSES, clock)
    return last == [(1,)] and query("SELECT count(*) FROM process_beat") == [(0,)]


def heartbeat(pid: int, *, clock: int) -> dict[str, object]:
    changed = {"hostname": "celery@one", "pid": pid, "clock": clock, "processed": clock, "timestamp": time.time()}
    return fields(type="worker-heartbeat", freq=2.0, active=0, **changed)


def publish(url: str, events: Iterable[dict[str, object]]) -> None:
    """In messages of many events."""
    left = iter(events)
    with Publisher(url) as publisher:
        while some := list(itertools.islice(left, A_MESSAGE)):
            publisher.publish(json.dumps(some).encode())


def made_up(number: int) -> list[dict[str, object]]:
    """A task, a worker, a queue, a type and a process that nobody else has."""
    named = {"hostname": f"celery@w{number}", "pid": number + 1}
    task = {**named, "uuid": str(UUID(int=number)), "name": f"app.n{number}", "queue": f"q{number}"}
    return [
        fields(type="task-sent", **task),
        fields(type="task-received", **task),
        fields(type=f"task-own-{number}", **task),
        fields(type="worker-heartbeat", freq=2.0, active=0, processed=number, sw_ident="py-celery", **named),
    ]
