"""The story of a task's last attempt."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from flower_store import states
from flower_store.records import TaskRecord
from flower_web import timeline

TEN = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return TEN + timedelta(seconds=seconds)


def a_task(**told: object) -> TaskRecord:
    """A task of which nothing was told but what is given."""
    nothing: dict[str, object] = {each.name: None for each in fields(TaskRecord)}
    must: dict[str, object] = {
        "key": UUID(int=1), "id": "1", "state": states.SUCCESS, "seen_at": TEN, "last_at": TEN, "last_clock": 1,
        "children": (), "retries": 0,
    }  # fmt: skip
    return TaskRecord(**(nothing | must | told))  # type: ignore[arg-type] # fields are filled by name


WHOLE = a_task(sent_at=at(0), received_at=at(4), started_at=at(9), succeeded_at=at(21), runtime=12.0)


def test_the_time_between_each_two_steps_is_told() -> None:
    steps = timeline.timeline(WHOLE)

    assert [step.label for step in steps] == ["Sent", "Received", "Started", "Succeeded"]
    assert [step.gap for step in steps] == [4, 5, 12, None]


def test_a_missed_event_is_a_step_without_a_time() -> None:
    steps = timeline.timeline(replace(WHOLE, sent_at=None, started_at=None))

    assert [(step.label, step.at is None, step.gap) for step in steps] == [
        ("Sent", True, None),
        ("Received", False, None),
        ("Started", True, None),
        ("Succeeded", False, None),
    ]


def test_what_has_not_happened_yet_is_left_out() -> None:
    steps = timeline.timeline(a_task(state=states.RECEIVED, sent_at=at(0), received_at=at(4)))

    assert [step.label for step in steps] == ["Sent", "Received"]
    assert steps[-1].last


def test_clocks_that_disagree_give_no_negative_time() -> None:
    steps = timeline.timeline(replace(WHOLE, received_at=at(-2)))

    assert (steps[0].gap, steps[0].disagree) == (None, True)
    assert (steps[1].gap, steps[1].disagree) == (11, False)


def test_a_revoked_task_says_why() -> None:
    task = a_task(state=states.REVOKED, sent_at=at(0), revoked_at=at(1), expired=True, terminated=False)

    assert timeline.timeline(task)[-1].note == "it had expired"


def test_a_task_revoked_before_its_start_never_started() -> None:
    task = a_task(state=states.REVOKED, received_at=at(0), revoked_at=at(1), expired=False, terminated=False)

    steps = timeline.timeline(task)

    assert [step.label for step in steps] == ["Sent", "Received", "Never started", "Revoked"]
    assert steps[2].absent == ""


@pytest.mark.parametrize(("told", "shown"), [("15", "SIGTERM"), ("SIGKILL", "SIGKILL"), ("999", "999")])
def test_a_signal_is_told_by_its_name(told: str, shown: str) -> None:
    task = a_task(state=states.REVOKED, received_at=at(0), revoked_at=at(1), terminated=True, signum=told)

    steps = timeline.timeline(task)

    assert steps[-1].note == f"terminated with {shown}"
    assert steps[-2].label == "Started"


def test_a_task_of_which_nothing_was_told_has_no_timeline() -> None:
    assert timeline.timeline(a_task(state=states.UNKNOWN)) == []
