"""The attempts of a task, told by its events."""

from collections.abc import Sequence
from datetime import UTC, datetime

from tests.web import scene

from flower_store import attempts
from flower_store.events import TaskEvent
from flower_store.records import EventRecord

TEN = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


def records(events: Sequence[TaskEvent]) -> list[EventRecord]:
    return [
        EventRecord(
            type=each.type,
            at=each.at,
            worker=each.hostname,
            pid=each.pid,
            clock=each.clock,
            received_at=each.received_at,
            fields=each.fields,
        )
        for each in events
    ]


def test_each_retry_is_an_attempt_newest_first() -> None:
    found = attempts.attempts(records(scene.a_retry("r", TEN, tries=3)))

    assert [(each.number, each.state) for each in found] == [(3, "SUCCESS"), (2, "RETRY"), (1, "RETRY")]
    assert found[1].exception == "ConnectTimeout('search: no answer in 2 s')"
    assert found[0].exception is None


def test_an_attempt_whose_start_was_missed_has_no_run_time() -> None:
    events = [each for each in scene.a_failure("f", TEN) if each.type != "task-started"]

    found = attempts.attempts(records(events))

    assert [(each.state, each.started_at, each.run) for each in found] == [("FAILURE", None, None)]


def test_a_second_start_without_an_end_is_an_attempt_of_its_own() -> None:
    lost = scene.a_life("x", TEN, end="started")
    again = scene.a_life("x", TEN.replace(minute=5), end="succeeded")[1:]

    found = attempts.attempts(records([*lost, *again]))

    assert [each.state for each in found] == ["SUCCESS", "STARTED"]
    assert found[1].run is None
