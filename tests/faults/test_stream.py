"""The stream of a run under faults can be told event by event, comes at its rate, and holds nothing but good events."""

from itertools import islice

import pytest
from tests.collector import messages
from tests.faults import stream
from tests.faults.stream import Publication

from flower_collector import gate

BEGAN = 1_790_000_000_000_000


@pytest.fixture
def published() -> list[Publication]:
    return list(islice(stream.publications(7, began=BEGAN, rate=500.0), 6_000))


def test_the_same_seed_publishes_the_same(published: list[Publication]) -> None:
    again = list(islice(stream.publications(7, began=BEGAN, rate=500.0), 100))
    other = list(islice(stream.publications(8, began=BEGAN, rate=500.0), 100))

    assert again == published[:100]
    assert other != again


def test_no_two_events_have_the_same_time(published: list[Publication]) -> None:
    times = [stream.microseconds(event) for one in published for event in one.message.events]

    assert len(set(times)) == len(times)


def test_it_keeps_the_rate_by_the_events_own_times(published: list[Publication]) -> None:
    events = sum(len(one.message.events) for one in published)

    assert 400 < events / published[-1].due < 600


def test_the_gate_takes_every_event(published: list[Publication]) -> None:
    opened = [gate.open_message(messages.message(one.message.body)) for one in published]

    assert [one.aside for one in opened if one.aside] == []
    assert sum(len(one.tasks) + len(one.workers) for one in opened) == sum(len(one.message.events) for one in published)
