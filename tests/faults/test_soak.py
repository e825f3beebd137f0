"""T60: random faults under load. In the end the store is what was published: nothing lost, nothing twice.

The log of the run tells each fault; `--randomly-seed` of a run gives the same faults again, `--rounds` more of them.
"""

import logging
import random
from pathlib import Path

import pytest
from tests.collector.publishing import Publisher
from tests.faults import nemesis, scene, verdict
from tests.faults.load import Load
from tests.faults.nemesis import Fault, Nemesis
from tests.faults.scene import Scene
from tests.faults.vitals import Vitals
from tests.services.rabbitmq import RabbitMQ
from tests.waiting import eventually

log = logging.getLogger(__name__)

QUEUE = "flower.default"
RATE = 300.0
"""Events a second: two collectors, two servers and other people share two cores, and the backlog must end."""
DRAINED_WITHIN = 180.0


@pytest.mark.slow
def test_twenty_faults_on_rabbitmq(tmp_path: Path, rabbitmq: RabbitMQ, rabbitmq_url: str, seed: int) -> None:
    soak_on_rabbitmq(tmp_path, rabbitmq, rabbitmq_url, seed=seed, rounds=20, haste=3)


@pytest.mark.faults
def test_hundreds_of_faults_on_rabbitmq(
    tmp_path: Path, rabbitmq: RabbitMQ, rabbitmq_url: str, seed: int, pytestconfig: pytest.Config
) -> None:
    soak_on_rabbitmq(tmp_path, rabbitmq, rabbitmq_url, seed=seed, rounds=rounds(pytestconfig))


@pytest.mark.faults
def test_faults_of_one_collector_at_a_time_on_redis(
    tmp_path: Path, redis_url: str, seed: int, pytestconfig: pytest.Config
) -> None:
    """PUB/SUB keeps nothing: no loss while one of two lives and has stored what the other missed."""
    with scene.collectors(tmp_path, redis_url, number=2) as stage:
        chance = random.Random(seed)
        harm = Nemesis([*nemesis.of_collectors(stage, chance), *nemesis.of_the_database(stage, chance)], chance)
        load = Load(tmp_path, redis_url, seed=seed, rate=RATE)
        load.start()
        eventually(load.confirmed)
        try:
            for _ in range(rounds(pytestconfig) // 4):
                harm.strike()
                assert all(member.process.running for member in stage.members), harm.done[-1]
                catch_up(stage, load)
        finally:
            load.stop()
            stage.heal()
        catch_up(stage, load)
        end(stage, load, f"seed {seed}, {len(harm.done)} faults")


def soak_on_rabbitmq(
    directory: Path, rabbitmq: RabbitMQ, url: str, *, seed: int, rounds: int, haste: float = 1
) -> None:
    with scene.collectors(directory, url, number=2) as stage:
        chance = random.Random(seed)
        faults = [
            *nemesis.of_collectors(stage, chance),
            *nemesis.of_the_database(stage, chance),
            *of_rabbitmq(rabbitmq),
        ]
        harm = Nemesis(faults, chance, haste=haste)
        load = Load(directory, url, seed=seed, rate=RATE)
        load.start()
        try:
            with Vitals(lambda: pids(stage)) as vitals:
                for _ in range(rounds):
                    harm.strike()
                    assert all(member.process.running for member in stage.members), harm.done[-1]
        finally:
            load.stop()
            stage.heal()
        drain(stage, url)
        end(stage, load, f"seed {seed}, {rounds} faults; {vitals}")
        assert vitals.bounded, str(vitals)


def pids(stage: Scene) -> list[int]:
    """Of the collectors that run just now."""
    return [member.process.pid for member in stage.members if member.process.running]


def end(stage: Scene, load: Load, title: str) -> None:
    judged = verdict.judge(stage.database.url, load.published())
    log.info("%s: %s", title, judged)
    assert judged.clean, judged
    assert judged.acknowledged > 0
    assert stage.database.query("SELECT reason, detail FROM set_aside") == []


def rounds(config: pytest.Config) -> int:
    asked = config.getoption("--rounds")
    assert isinstance(asked, int)
    return asked


def of_rabbitmq(node: RabbitMQ) -> list[Fault]:
    return [
        Fault("RabbitMQ is restarted", node.stop, node.start, lasts=(0.0, 2.0)),
        Fault("RabbitMQ is killed", node.kill, node.start, lasts=(0.0, 2.0)),
    ]


def drain(stage: Scene, url: str) -> None:
    """Wait until the queue is empty and everything taken from it is committed: with no collector it stays empty."""
    for member in stage.members:
        eventually(member.process.ready, within=DRAINED_WITHIN)
    while True:
        eventually(lambda: waiting(url) == 0, within=DRAINED_WITHIN)
        for member in stage.members:
            member.process.stop()
        if waiting(url) == 0:
            return
        stage.heal()


def catch_up(stage: Scene, load: Load) -> None:
    """Wait until both collectors listen and all that was published until then is stored."""
    for member in stage.members:
        eventually(member.process.ready, within=DRAINED_WITHIN)
    confirmed = load.published().confirmed
    eventually(
        lambda: confirmed <= {at for (at,) in stage.database.query("SELECT at FROM task_event")}, within=DRAINED_WITHIN
    )


def waiting(url: str) -> int:
    """Messages ready in the queue."""
    with Publisher(url) as publisher:
        return publisher.waiting(QUEUE)
