"""A million mutated messages through the gate and into the log's lines: no exception escapes."""

import random
from itertools import islice

import pytest
from tests.collector import mutation
from tests.collector.messages import message

from flower_collector import gate
from flower_store import packing
from flower_store.event_types import CODES

INPUTS = 1_000_000


@pytest.mark.faults
def test_a_million_mutated_messages_are_answered(chance: random.Random) -> None:
    landed = 0

    for content in islice(mutation.mutated(chance), INPUTS):
        opened = gate.open_message(message(content))
        mutation.check(opened)
        for task in opened.tasks:
            name = task.fields.get("name")
            code = CODES.get(task.type, 100)
            text = packing.packed(code, task.task_id, task.fields, named=isinstance(name, str) and bool(name))
            assert packing.unpacked(code, task.task_id, name if isinstance(name, str) else None, text) == task.fields
            text.decode()
            landed += 1

    assert landed > INPUTS // 10
