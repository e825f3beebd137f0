"""Events as Celery 5.3 to 5.7 send them: the gate knows no version, so all of them land, nothing set aside."""

import json

import pytest
from tests.collector.messages import NOON, TASK, message

from flower_collector import gate
from flower_store.events import TaskEvent

COMMON = {"hostname": "celery@a", "timestamp": NOON.timestamp(), "utcoffset": -2, "pid": 7, "clock": 3, "uuid": TASK}
TASK_TEXTS = {"name": "app.add", "args": "(1, 2)", "kwargs": "{}", "root_id": TASK, "parent_id": None, "retries": 0}
FAILURE = {"exception": "ValueError('x')", "traceback": "Traceback (most recent call last):\n"}
BEAT = {
    "freq": 2.0, "sw_ident": "py-celery", "sw_ver": "5.3.6", "sw_sys": "Linux", "active": 0, "processed": 4,
    "loadavg": [0.1, 0.2, 0.3],
}  # fmt: skip


@pytest.mark.parametrize(
    ("since", "kind", "fields"),
    [
        ("5.3", "task-sent", {**TASK_TEXTS, "queue": "celery", "exchange": "", "routing_key": "celery"}),
        ("5.3", "task-sent", {**TASK_TEXTS, "queue": None, "eta": None, "expires": None}),
        ("5.3", "task-received", {**TASK_TEXTS, "eta": "2026-11-20T12:00:00+00:00", "expires": None}),
        ("5.3", "task-started", {}),
        ("5.3", "task-succeeded", {"result": "3", "runtime": 0.25}),
        ("5.3", "task-succeeded", {"result": None, "runtime": 1}),
        ("5.7", "task-succeeded", {"result": "3", "runtime": None}),
        ("5.3", "task-failed", FAILURE),
        ("5.3", "task-retried", FAILURE),
        ("5.3", "task-rejected", {"requeue": True}),
        ("5.3", "task-revoked", {"terminated": True, "signum": 15, "expired": False}),
        ("5.3", "task-revoked", {"terminated": False, "signum": None, "expired": True}),
        ("5.3", "task-revoked", {"terminated": True, "signum": "SIGKILL", "expired": False}),
        ("5.3", "task-cancelled", {}),
        ("5.3", "task-progress", {"percent": 50, "clock": None}),
        ("5.3", "worker-online", BEAT),
        ("5.3", "worker-heartbeat", BEAT),
        ("5.3", "worker-offline", BEAT),
    ],
)
@pytest.mark.parametrize("listed", [False, True], ids=["alone", "in task.multi"])
def test_every_event_lands(since: str, kind: str, fields: dict[str, object], *, listed: bool) -> None:
    event: dict[str, object] = {**COMMON, **fields, "type": kind}

    opened = gate.open_message(message(json.dumps([event] if listed else event).encode()))

    assert (opened.aside, opened.not_kept, opened.clocks_clamped) == ([], 0, 0), since
    (landed,) = opened.tasks + opened.workers
    assert (landed.type, landed.hostname, landed.at) == (kind, "celery@a", NOON)
    if isinstance(landed, TaskEvent):
        kept = {name: value for name, value in fields.items() if name not in COMMON}
        assert landed.fields == kept
