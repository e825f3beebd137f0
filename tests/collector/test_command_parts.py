"""Parts of commands without a worker: what the log keeps, what is opened of results, and the last look at the clock."""

import json
import pickle
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from tests.collector.asking import published

from flower_collector import app, redaction, results
from flower_collector.commands import lookups, sending
from flower_collector.commands.execution import Execution
from flower_collector.commands.lookups import Lookups, Unreadable
from flower_collector.redaction import Redaction
from flower_collector.settings import CollectorSettings
from flower_store.claims import Claim

MEMORY = "cache+memory://"
BARE = CollectorSettings(broker="memory://")
HIDING = redaction.of(CollectorSettings(broker="memory://", redact=("card",)))
SECRET = redaction.of(CollectorSettings(broker="memory://", store_args=False, store_results=False))
Keep = Callable[[str, bytes], None]


def a_claim(kind: str = "send_task", *, payload: str | None = None, until: float = float("inf")) -> Claim:
    target = {"name": "tests.add", "task": "t"}
    return Claim(id=1, kind=kind, target=target, arguments={}, payload=payload, until=until)


@pytest.fixture
def cluster() -> app.App:
    return app.cluster_app(BARE)


@pytest.fixture
def keep(cluster: app.App) -> Keep:
    """Store a task's result as a worker would, byte by byte."""
    backend = cast("Any", results.backend(cluster, MEMORY))

    def stored(task_id: str, value: bytes) -> None:
        backend.set(backend.get_key_for_task(task_id), value)

    return stored


def looking(cluster: app.App, *, unpickle: bool = False, rules: Redaction | None = None) -> Lookups:
    return Lookups(cluster, MEMORY, unpickle=unpickle, redaction=rules)


def a_meta(state: str, result: object, **more: object) -> bytes:
    return json.dumps({"status": state, "result": result, "traceback": None, **more}).encode()


@pytest.mark.parametrize(
    ("rules", "args", "kwargs"),
    [
        (None, "[1, 'card 42']", "{'password': '********', 'card': 42}"),
        (HIDING, "[redacted]", "{'password': '********', 'card': [redacted]}"),
        (SECRET, "[redacted]", "[redacted]"),
    ],
)
def test_the_log_keeps_no_secret(rules: Redaction | None, args: str, kwargs: str) -> None:
    payload = json.dumps({"args": [1, "card 42"], "kwargs": {"password": "hunter2", "card": 42}, "options": {}})

    found = sending.shown(a_claim(payload=payload), rules)

    if rules is HIDING:
        assert "42" not in str(found)
    else:
        assert (found["args"], found["kwargs"]) == (args, kwargs)
    assert "hunter2" not in str(found)


def test_long_arguments_are_cut_and_odd_texts_made_fit_for_the_store() -> None:
    payload = json.dumps({"args": ["x" * 100_000], "kwargs": {"a": 1}, "options": {"shadow": "a\0b", "queue": "q"}})

    found = sending.shown(a_claim(payload=payload), None)

    assert len(str(found["args"])) < 10_000
    assert (found["shadow"], found["queue"]) == ("a␀b", "q")


@pytest.mark.parametrize(
    ("meta", "answer"),
    [
        (a_meta("SUCCESS", {"a": [1, None]}), {"state": "SUCCESS", "result": {"a": [1, None]}}),
        (
            a_meta("SUCCESS", {"__type__": "datetime", "__value__": "2026-01-02T03:04:05"}),
            {"state": "SUCCESS", "result": "datetime.datetime(2026, 1, 2, 3, 4, 5)"},
        ),
        (b'{"status": "SUCCESS", "result": NaN}', {"state": "SUCCESS", "result": "nan"}),
        (
            a_meta("FAILURE", {"exc_type": "E", "exc_message": ["a", 1], "exc_module": "os"}, traceback="T"),
            {"state": "FAILURE", "result": "E('a', 1)", "traceback": "T"},
        ),
        (
            a_meta("REVOKED", {"exc_type": "TaskRevokedError", "exc_message": ["revoked"], "exc_module": "x"}),
            {"state": "REVOKED", "result": "TaskRevokedError('revoked')"},
        ),
    ],
)
def test_a_result_is_told_as_flower_tells_it(
    cluster: app.App, keep: Keep, meta: bytes, answer: dict[str, object]
) -> None:
    keep("t", meta)

    assert lookups.document("t", looking(cluster).state("t")) == {"task-id": "t", **answer}


def test_a_pickled_result_is_opened_only_where_that_is_allowed(cluster: app.App, keep: Keep) -> None:
    keep("t", pickle.dumps({"status": "FAILURE", "result": ValueError("x"), "traceback": "T"}))

    with pytest.raises(Unreadable, match="unpickle_results"):
        looking(cluster).state("t")
    found = looking(cluster, unpickle=True).state("t")

    assert (found.state, found.result, found.traceback) == ("FAILURE", "ValueError('x')", "T")


@pytest.mark.parametrize("value", [b"[" * 100_000, b"7", b'"x"', b"\xff"])
def test_a_hostile_result_is_refused_with_a_sentence(cluster: app.App, keep: Keep, value: bytes) -> None:
    keep("t", value)

    with pytest.raises(Unreadable):
        looking(cluster).state("t")


def test_what_must_not_be_stored_is_not_handed_through_the_store(cluster: app.App, keep: Keep) -> None:
    keep("t", a_meta("SUCCESS", {"card": 42}))

    assert looking(cluster, rules=SECRET).state("t").result == "[redacted]"
    assert looking(cluster, rules=HIDING).state("t").result == {"card": "[redacted]"}


def test_a_wait_ends_at_a_stop(cluster: app.App) -> None:
    stopping = threading.Event()
    stopping.set()

    assert looking(cluster).end("nobody's", 3_600, stopping).state == "PENDING"


def test_what_is_late_is_not_executed_although_it_was_taken(cluster: app.App, redis_url: str) -> None:
    told = app.cluster_app(CollectorSettings(broker=redis_url))
    execution = Execution(told, "redis", looking(cluster), stopping=threading.Event(), clock=lambda: 100.0)

    ending = execution.run(a_claim(payload=published([1, 2]), until=99.9), workers=0)

    assert (ending.outcome, ending.reply["cause"]) == ("failed", "late")


def test_a_broker_that_is_away_is_told_as_nothing_sent(cluster: app.App) -> None:
    away = app.cluster_app(CollectorSettings(broker="amqp://127.0.0.1:9//"))
    execution = Execution(away, "amqp", looking(cluster), stopping=threading.Event())

    ending = execution.run(a_claim(payload=published([1, 2])), workers=0)

    assert (ending.outcome, ending.reply["cause"]) == ("failed", "unavailable")


def test_without_a_result_backend_nothing_is_waited_for_or_sent(cluster: app.App) -> None:
    none = Lookups(cluster, "", unpickle=False, redaction=None)
    execution = Execution(cluster, "memory", none, stopping=threading.Event())

    for kind in ("apply", "result", "abort"):
        ending = execution.run(a_claim(kind, payload=published([1, 2])), workers=0)

        assert (ending.outcome, ending.reply["cause"]) == ("failed", "no_backend")
