"""T02, T03, T05 and T06: a collector killed exactly before and exactly after the commit of a batch, again and again.

The line to the database sees the COMMIT and its answer pass; the collector is killed while the piece waits there, so
that it has not acknowledged what it has not heard to be committed.
"""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.collector.publishing import Publisher
from tests.faults import killing, scene
from tests.faults.scene import Member, Scene
from tests.services import rabbitmq
from tests.store import recount
from tests.waiting import eventually

pytestmark = pytest.mark.faults

QUEUE = "flower.default"
KILLS_AFTER = 10
KILLS_BEFORE = 30
"""More than the 20 deliveries after which RabbitMQ 4 drops a message by default."""
RELEASES = (rabbitmq.OURS, rabbitmq.FOUR)
"""3.10 drops everything at the first redelivery where the limit is -1, 4 after the default where there is none."""
EVENTS = 20
COPY = b"COPY task_event"


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


@pytest.mark.parametrize("rabbitmq", RELEASES, indirect=True)
def test_thirty_kills_before_the_commit_in_a_row_lose_nothing(stage: Scene, publisher: Publisher) -> None:
    (member,) = stage.members
    publisher.events(*range(EVENTS))
    for _ in range(KILLS_BEFORE):
        member.database.breaks_before = killing.at(member, b"COMMIT", after=COPY)

        run_until_killed(member)

        eventually(lambda: publisher.waiting(QUEUE) == EVENTS)
        assert stored(stage) == 0

    drain(stage, publisher, EVENTS)


def at_the_answer(stage: Scene, member: Member, before: int) -> killing.Breaks:
    """Kills the collector when it is to hear of the first COMMIT after which more events are there than before."""
    return killing.when(member, lambda data: killing.COMMITTED in data and stored(stage) > before)


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
