"""T60: a collector that outlives a long row of faults of broker and database holds no more at its end than before."""

import logging
import random
from pathlib import Path

import pytest
from tests.faults import nemesis, scene, test_soak
from tests.faults.load import Load
from tests.faults.nemesis import Nemesis
from tests.faults.vitals import Vitals
from tests.services.rabbitmq import RabbitMQ

pytestmark = pytest.mark.faults

log = logging.getLogger(__name__)


def test_a_collector_that_outlives_every_fault_does_not_grow(
    tmp_path: Path, rabbitmq: RabbitMQ, rabbitmq_url: str, seed: int, pytestconfig: pytest.Config
) -> None:
    """None is killed, so that each process has met all of it."""
    with scene.collectors(tmp_path, rabbitmq_url, number=2) as stage:
        chance = random.Random(seed)
        faults = [*nemesis.of_the_database(stage, chance), *test_soak.of_rabbitmq(rabbitmq)]
        harm = Nemesis(faults, chance, haste=2)
        load = Load(tmp_path, rabbitmq_url, seed=seed, rate=test_soak.RATE)
        pids = [member.process.pid for member in stage.members]
        load.start()
        try:
            with Vitals(lambda: pids) as vitals:
                for _ in range(test_soak.rounds(pytestconfig) // 2):
                    harm.strike()
        finally:
            load.stop()
            stage.heal()
        log.info("%s", vitals)
        assert [member.process.pid for member in stage.members] == pids
        assert vitals.bounded, str(vitals)
        test_soak.drain(stage, rabbitmq_url)
        test_soak.end(stage, load, f"seed {seed}, {len(harm.done)} faults")
