"""T14: RabbitMQ closes the channel of a consumer that keeps messages too long. While the database is away, ours could.

Half an hour by default, looked at once a minute; here so short that an outage outlasts it several times.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.collector import proxy
from tests.collector.proxy import Proxy
from tests.faults import trial
from tests.faults.trial import Trial
from tests.services import rabbitmq
from tests.services.rabbitmq import RabbitMQ
from tests.waiting import eventually

pytestmark = pytest.mark.faults

TIMEOUT = 8
"""Seconds. What is held for one must have gone back by then, on a slow machine, too."""
ARGUMENTS = f"-rabbit consumer_timeout {TIMEOUT * 1000} -rabbit channel_tick_interval 500"
OUTAGE = 3.0 * TIMEOUT
TIMED_OUT = "timed out"
REFUSED = "PRECONDITION_FAILED"

TryIt = Callable[[str], Trial]


@pytest.fixture(params=[rabbitmq.OURS, rabbitmq.FOUR])
def impatient(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    with rabbitmq.node(request.param, arguments=ARGUMENTS) as running:
        running.add_vhost("impatient")
        yield running


@pytest.fixture
def line(database_url: str) -> Iterator[Proxy]:
    line = proxy.to(database_url)
    yield line
    line.close()


@pytest.fixture
def try_it(tmp_path: Path, impatient: RabbitMQ, database_url: str, line: Proxy, seed: int) -> Iterator[TryIt]:
    """Begin a trial of a collector that holds messages for so long through an outage."""
    with contextlib.ExitStack() as stack:

        def begin(hold_for: str) -> Trial:
            return stack.enter_context(
                trial.under_load(
                    tmp_path,
                    impatient.url("impatient"),
                    line.url(database_url),
                    direct=lambda: database_url,
                    seed=seed,
                    settings={"FLOWER_HOLD_FOR": hold_for},
                )
            )

        yield begin


def test_messages_go_back_before_the_timeout(try_it: TryIt, impatient: RabbitMQ, line: Proxy) -> None:
    tried = try_it("1s")
    line.cut()
    tried.is_away()
    tried.lives_through(OUTAGE)
    line.mend()

    tried.goes_on()
    tried.all_is_there_once()
    assert TIMED_OUT not in impatient.log
    assert "broker lost" not in tried.process.log


def test_a_collector_that_keeps_them_is_cut_off_again_and_again_and_loses_nothing(
    try_it: TryIt, impatient: RabbitMQ, line: Proxy
) -> None:
    """And the node is really impatient."""
    tried = try_it("10m")
    line.cut()
    eventually(lambda: impatient.log.count(TIMED_OUT) >= 3)
    line.mend()

    tried.goes_on()
    tried.all_is_there_once()
    assert REFUSED in tried.process.log
