"""T02, T03 and T06: a collector killed exactly before and exactly after the commit of a batch, again and again.

The line to the database sees the COMMIT and its answer pass; the collector is killed while the piece waits there, so
that it has not acknowledged what it has not heard to be committed.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.collector.publishing import Publisher
from tests.faults import scene
from tests.faults.scene import Member, Scene
from tests.store import recount
from tests.waiting import eventually

pytestmark = pytest.mark.faults

QUEUE = "flower.default"
KILLS_AFTER = 10
KILLS_BEFORE = 30
"""More than the 20 deliveries after which RabbitMQ 4 drops a message by default."""
EVENTS = 20
COPY = b"COPY task_event"
COMMITTED = b"COMMIT\0"
"""The end of PostgreSQL's answer to a COMMIT (CommandComplete)."""


@pytest.fixture
def stage(tmp_path: Path, rabbitmq_url: str) -> Iterator[Scene]:
    with scene.collectors(tmp_path, rabbitmq_url, number=1) as stage:
        # Its queue is there; each test says when the collector runs.
        stage.members[0].process.stop()
        yield stage


@pytest.fixture
def publisher(rabbitmq_url: str) -> Iterator[Publisher]:
    with Publisher(rabbitmq_url) as publisher:
        yield publisher


def test_kills_between_commit_and_acknowledgement_make_duplicates_that_count_once(
    stage: Scene, publisher: Publisher
) -> None:
    (member,) = stage.members
    duplicates = 0
    for kill in range(KILLS_AFTER):
        before = stored(stage)
        publisher.events(*range(kill * EVENTS, kill * EVENTS + EVENTS))
        member.database.breaks_at_answer = at_the_answer(stage, member, before)

        run_until_killed(member)

        eventually(lambda: publisher.waiting(QUEUE) >= EVENTS)
        duplicates += stored(stage) - before

    drain(stage, publisher, KILLS_AFTER * EVENTS)
    assert duplicates >= KILLS_AFTER


def test_thirty_kills_before_the_commit_in_a_row_lose_nothing(stage: Scene, publisher: Publisher) -> None:
    (member,) = stage.members
    publisher.events(*range(EVENTS))
    for _ in range(KILLS_BEFORE):
        member.database.breaks_before = at_the_commit_of_events(member)

        run_until_killed(member)

        eventually(lambda: publisher.waiting(QUEUE) == EVENTS)
        assert stored(stage) == 0

    drain(stage, publisher, EVENTS)


def at_the_answer(stage: Scene, member: Member, before: int) -> Callable[[bytes], bool]:
    """Kills the collector when it is to hear of the first COMMIT after which more events are there than before."""
    return once(member, lambda data: COMMITTED in data and stored(stage) > before)


def at_the_commit_of_events(member: Member) -> Callable[[bytes], bool]:
    """Kills the collector at the first COMMIT after a COPY of events, which one connection sends."""
    copied = False

    def is_due(data: bytes) -> bool:
        nonlocal copied
        copied = copied or COPY in data
        return copied and b"COMMIT" in data

    return once(member, is_due)


def once(member: Member, is_due: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    """Kill the collector when it is due; from then on nothing passes, whatever is still in the line."""
    killed = False

    def breaks(data: bytes) -> bool:
        nonlocal killed
        if not killed and is_due(data):
            killed = True
            os.kill(member.process.pid, signal.SIGKILL)
        return killed

    return breaks


def run_until_killed(member: Member) -> None:
    member.process.launch()
    eventually(lambda: not member.process.running)
    member.process.kill()
    member.database.heal()


def drain(stage: Scene, publisher: Publisher, number: int) -> None:
    """All is there, each event once, and nothing waits or was set aside."""
    (member,) = stage.members
    member.process.start()
    eventually(lambda: stored(stage) == number and publisher.waiting(QUEUE) == 0)
    member.process.stop()
    assert publisher.waiting(QUEUE) == 0
    assert stage.database.query("SELECT count(*) FROM task") == [(number,)]
    assert stage.database.query("SELECT sum(count)::int FROM rollup_1m") == [(number,)]
    assert stage.database.query("SELECT reason FROM set_aside") == []
    with psycopg.connect(stage.database.url) as connection:
        assert not list(recount.differences(connection))


def stored(stage: Scene) -> int:
    return int(stage.database.query("SELECT count(*) FROM task_event")[0][0])
