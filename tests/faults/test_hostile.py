"""T35 and T36: whoever may publish to the broker neither ends the collector, nor fills its memory, nor stops events."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.collector.publishing import TASKS, Publisher
from tests.e2e.collecting import CollectorProcess
from tests.faults import hostile
from tests.faults.conftest import Query
from tests.faults.hostile import Hostile
from tests.waiting import eventually

pytestmark = pytest.mark.faults

StartCollector = Callable[[str], CollectorProcess]
ALLOWED = 50 * 1024
"""Kilobytes that the collector may grow by."""


@pytest.fixture(params=["rabbitmq_url", "redis_url"])
def broker_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.mark.parametrize("messages", [hostile.REFUSED, hostile.BOMBS], ids=["refused", "bombs"])
def test_what_is_no_event_is_set_aside_once_and_the_next_event_lands(
    broker_url: str, start_collector: StartCollector, query: Query, messages: Sequence[Hostile]
) -> None:
    collector = start_collector(broker_url)

    grown = _grown_by(collector, query, broker_url, messages)

    eventually(lambda: query("SELECT count(*) FROM set_aside") == [(len(messages),)])
    assert query("SELECT count(*) FROM task_event") == [(2,)]
    assert_unharmed(collector, query, grown)


def test_an_odd_event_lands_and_the_next_one_too(
    broker_url: str, start_collector: StartCollector, query: Query
) -> None:
    collector = start_collector(broker_url)

    grown = _grown_by(collector, query, broker_url, hostile.LANDS)

    eventually(lambda: query("SELECT count(*) FROM task_event") == [(len(hostile.LANDS) + 2,)])
    assert_unharmed(collector, query, grown)


def assert_unharmed(collector: CollectorProcess, query: Query, grown: int) -> None:
    assert grown < ALLOWED
    assert query("SELECT count(*) FROM set_aside WHERE reason = 'defect'") == [(0,)]
    assert "Traceback" not in collector.log
    assert collector.ready()


def _grown_by(collector: CollectorProcess, query: Query, broker_url: str, messages: Sequence[Hostile]) -> int:
    """Kilobytes by which these messages raised its memory at most; an event goes before them, and one after them."""
    last = "SELECT count(*) FROM task WHERE key = %s"
    with Publisher(broker_url) as publisher:
        publisher.event(0)
        eventually(lambda: query(last, TASKS[0]) == [(1,)])
        before = _kilobytes(collector, "VmRSS")
        for content, content_type, headers in messages:
            publisher.publish(content, content_type=content_type, headers=dict(headers))
        publisher.event(1)
        eventually(lambda: query(last, TASKS[1]) == [(1,)])
    return _kilobytes(collector, "VmHWM") - before


def _kilobytes(collector: CollectorProcess, what: str) -> int:
    lines = Path(f"/proc/{collector.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))
