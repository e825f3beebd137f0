"""Events in a message that is dropped unread: all are counted, whatever a stranger wrote."""

import json

import pytest

from flower_collector import probe, stamps


@pytest.mark.parametrize(
    ("body", "times"),
    [
        (b'{"type": "task-sent", "timestamp": 7.5}', [7.5]),
        (b'[{"timestamp": 1}, {"timestamp": 2}]', [1.0, 2.0]),
        (b'[{"timestamp": "x"}, {"timestamp": true}, {}]', [None, None, None]),
        (b'[{"timestamp": 1}, 7, null]', [1.0, None, None]),
        (b'[{"timestamp": NaN, "a": NaN}, {"timestamp": 3}]', [pytest.approx(float("nan"), nan_ok=True), 3.0]),
        (b"[]", []),
        (b"", [None]),
        (b"\xff", [None]),
        (b"[" * 100_000, [None]),
        (json.dumps({"type": probe.TYPE, "timestamp": 1}).encode(), []),
        (json.dumps([{"type": probe.TYPE}, {"type": "task-sent", "timestamp": 1}]).encode(), [1.0]),
        (json.dumps({"timestamp": 10**400}).encode(), [None]),
    ],
)
def test_each_event_counts_with_its_time_and_probes_do_not(body: bytes, times: list[float | None]) -> None:
    assert list(stamps.of(body)) == times
    assert stamps.events(body) == len(times)
