"""Probes: they come back, are measured and stored nowhere, and do no harm to those who read the same exchange."""

import json
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from celery.events.state import State
from tests.collector.conftest import Query
from tests.collector.messages import NOON, message
from tests.services import celery_app
from tests.waiting import eventually

from flower_collector import gate
from flower_collector.probe import Echo, Probe

SENT = Probe(hostname="a", instance=UUID(int=7), cluster="default", sequence=3, sent_at=NOON)


def test_a_probe_is_handed_on_with_its_delay_and_lands_nowhere() -> None:
    late = NOON + timedelta(seconds=2)

    opened = gate.open_message(message(json.dumps(SENT.event()).encode(), received_at=late))

    assert opened == gate.Opened(echoes=[Echo(SENT, late)])
    assert opened.echoes[0].delay == timedelta(seconds=2)


def test_a_clock_that_is_behind_makes_no_negative_delay() -> None:
    assert Echo(SENT, NOON - timedelta(seconds=2)).delay == timedelta(0)


@pytest.mark.slow
@pytest.mark.parametrize("broker", ["rabbitmq_url", "redis_url"])
def test_probes_come_back_to_the_collector_and_pass_celery_s_own_receiver(
    broker: str, request: pytest.FixtureRequest, start_collector: Any, query: Query
) -> None:
    url = request.getfixturevalue(broker)
    seen: list[dict[str, object]] = []
    state = State()
    app: Any = celery_app.client(url)
    enough = threading.Event()

    def take(event: dict[str, object]) -> None:
        state.event(event)
        seen.append(event)
        if len(seen) == 2:
            enough.set()

    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"flower-probe": take})
        collector = start_collector(url, probe_interval=timedelta(milliseconds=200))
        for _ in receiver.itercapture(limit=None, timeout=20):
            if enough.is_set():
                break

    measured = "flower_collector_probe_seconds_count"
    assert eventually(lambda: (collector.metrics.registry.get_sample_value(measured) or 0) >= 2)
    assert seen[1]["sequence"] == int(str(seen[0]["sequence"])) + 1
    assert (state.tasks, state.workers) == ({}, {})
    assert query("SELECT count(*) FROM set_aside") == [(0,)]
