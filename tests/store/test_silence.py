"""Workers that answer while nothing is heard of them."""

from datetime import UTC, datetime, timedelta

import pytest

from flower_store import silence
from flower_store.events import TaskEvent
from flower_store.factories import NOON, a_heartbeat, an_event
from flower_store.writes import Writer

MINUTE, SECONDS = timedelta(minutes=1), timedelta(seconds=6)


def silent(writer: Writer) -> list[str]:
    return silence.answering(writer, answered=MINUTE, silent=SECONDS)


@pytest.fixture
def answered(writer: Writer) -> Writer:
    writer.write_replies({"celery@a": {"stats": {}}}, silence=MINUTE)
    return writer


def test_a_worker_that_answers_and_was_never_heard_is_silent(answered: Writer) -> None:
    assert silent(answered) == ["celery@a"]


def test_one_whose_heartbeat_has_just_come_is_not(answered: Writer) -> None:
    answered.write([], [a_heartbeat(0, clock=1, received_at=datetime.now(UTC))])

    assert silent(answered) == []


def test_one_whose_heartbeat_came_a_minute_ago_is(answered: Writer) -> None:
    answered.write([], [a_heartbeat(0, clock=1, received_at=datetime.now(UTC) - MINUTE)])

    assert silent(answered) == ["celery@a"]


def test_one_that_says_it_beats_rarely_may_be_silent_for_three_of_its_beats(answered: Writer) -> None:
    answered.write([], [a_heartbeat(0, clock=1, freq=30.0, received_at=datetime.now(UTC) - MINUTE)])

    assert silent(answered) == []


def test_one_that_does_not_answer_is_not_judged(writer: Writer) -> None:
    writer.write([], [a_heartbeat(0, clock=1, received_at=datetime.now(UTC) - MINUTE)])

    assert silent(writer) == []


def test_one_without_heartbeats_is_heard_by_its_tasks(answered: Writer) -> None:
    answered.write([a_start(datetime.now(UTC) - MINUTE)])

    assert silent(answered) == []


def test_a_task_before_the_last_heartbeat_does_not_hide_that_both_have_ended(answered: Writer) -> None:
    now = datetime.now(UTC)
    answered.write([a_start(now - 2 * MINUTE)], [a_heartbeat(0, clock=1, received_at=now - MINUTE)])

    assert silent(answered) == ["celery@a"]


def test_one_that_has_no_heartbeats_any_more_is_heard_by_its_tasks(answered: Writer) -> None:
    now = datetime.now(UTC)
    answered.write([a_start(now - MINUTE)], [a_heartbeat(0, clock=1, received_at=now - 2 * MINUTE)])

    assert silent(answered) == []


def a_start(at: datetime) -> TaskEvent:
    return an_event("started", (at - NOON).total_seconds(), worker="celery@a")
