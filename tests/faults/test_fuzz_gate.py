"""A million mutated messages through the gate and into the log's lines: no exception escapes.

As many in the envelope that Redis has around them, and as entries of the add-on's stream, and through redaction.
"""

import json
import random
from itertools import islice

import pytest
from tests.collector import mutation
from tests.collector.messages import NOON, message, wrapped

from flower_collector import envelope, gate, redaction
from flower_collector.settings import CollectorSettings
from flower_store import packing
from flower_store.event_types import CODES

INPUTS = 1_000_000
HARMED = 0.5


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


@pytest.mark.faults
@pytest.mark.parametrize("form", ["envelope", "entry"])
def test_mutated_envelopes_are_answered_and_redacted(chance: random.Random, form: str) -> None:
    """The envelope itself is mutated, and what is in it; the redaction never fails on what the gate lets in."""
    rules = redaction.of(CollectorSettings(broker="memory://", redact=("password",), redact_values="[0-9]{4}"))
    assert rules is not None
    origin = message(b"").origin
    landed = 0

    for content in islice(mutation.mutated(chance), INPUTS):
        if form == "entry":
            given = envelope.opened_entry(mutation.mutated_entry(content, chance), origin, NOON)
        else:
            data = bytearray(json.dumps(wrapped(content)).encode())
            if chance.random() < HARMED:
                mutation.change(data, chance)
            given = envelope.opened(bytes(data), origin=origin, received_at=NOON)
        opened = gate.open_message(given)
        mutation.check(opened)
        for task in opened.tasks:
            rules.fields(task.fields)  # what `event` would catch, hide and log
        rules.apply(opened)
        mutation.check(opened)
        landed += len(opened.tasks)

    assert landed > INPUTS // 20
