"""Fifty thousand mutated messages; a million under faults (`tests/faults/test_fuzz_gate.py`)."""

import random
from itertools import islice

import pytest
from tests.collector import mutation
from tests.collector.messages import NOON, message

from flower_collector import envelope, gate


def test_mutated_messages_are_answered_within_bounds(pytestconfig: pytest.Config) -> None:
    chance = random.Random(pytestconfig.getoption("randomly_seed"))
    landed = aside = 0

    for content in islice(mutation.mutated(chance), 50_000):
        opened = gate.open_message(message(content))
        mutation.check(opened)
        landed += bool(opened.tasks or opened.workers)
        aside += bool(opened.aside)

    assert min(landed, aside) > 5_000


def test_mutated_entries_of_a_stream_are_answered_within_bounds(pytestconfig: pytest.Config) -> None:
    chance = random.Random(pytestconfig.getoption("randomly_seed"))
    origin = message(b"").origin
    landed = aside = 0

    for content in islice(mutation.mutated(chance), 10_000):
        opened = gate.open_message(envelope.opened_entry(mutation.mutated_entry(content, chance), origin, NOON))
        mutation.check(opened)
        landed += bool(opened.tasks or opened.workers)
        aside += bool(opened.aside)

    assert min(landed, aside) > 500
