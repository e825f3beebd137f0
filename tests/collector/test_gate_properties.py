"""Whatever bytes come, the gate answers, and what it lets in keeps the store's bounds."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.collector.messages import fields, message

from flower_collector import gate, replies
from flower_store.events import MAX_NAME, MAX_TASK_ID

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from([*fields(), "runtime", "queue", "freq", "active", "processed", "loadavg", "sw_ver", "x"])
TYPES = st.sampled_from(["task-received", "task-sent", "task-succeeded", "worker-heartbeat", "task-x", "worker-x"])


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(content: bytes) -> None:
    gate.open_message(message(content))


@settings(max_examples=500)
@given(TYPES, st.lists(st.dictionaries(FIELDS, JSON, max_size=3), min_size=1, max_size=3))
def test_events_with_any_values_land_within_bounds_or_are_set_aside(
    kind: str, changes: list[dict[str, object]]
) -> None:
    content = json.dumps([fields(type=kind) | changed for changed in changes]).encode()

    opened = gate.open_message(message(content))

    landed = opened.tasks + opened.workers
    assert len(landed) + opened.not_kept <= len(changes)
    assert len(landed) + opened.not_kept + len(opened.aside) >= len(changes)
    for event in landed:
        assert 0 <= event.clock < 2**63
        assert 0 <= event.pid < 2**31
        assert 0 < len(event.hostname) <= MAX_NAME
    for task in opened.tasks:
        assert 0 < len(task.task_id) <= MAX_TASK_ID
        text = json.dumps(
            [task.task_id, task.hostname, task.type, dict(task.fields)], ensure_ascii=False, allow_nan=False
        )
        assert "\\u0000" not in text
        text.encode()


@settings(max_examples=200)
@given(st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=2), max_size=3) | JSON)
def test_any_reply_of_a_worker_becomes_something_that_can_be_stored(answers: object) -> None:
    found = replies.by_host(answers if isinstance(answers, list) else None)

    text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    assert "\\u0000" not in text
    text.encode()
